//! The sampling loop, for any plan and any model.

mod batch;
mod choice;
mod context;
mod drawn;
mod error;
mod execution;
mod observer;
mod orders;
mod redrawn;

use std::borrow::Cow;
use std::fmt;

pub use batch::Batch;
pub use error::SampleError;
pub use execution::Execution;
pub use observer::{Observer, StepEvent};

use crate::{
    AxisName, Capability, Detail, Guidance, HeadKind, ImageIndex, MaskedGenerator, Plan, Registry, Seed, Solver, Step,
    TimestepLimit, Timesteps,
};

/// Settings of a run that are not part of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Seed from which all random numbers of the run are derived.
    pub seed: Seed,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Factor of the noise that is added after each evaluation of the diffusion head, 0 to 100; 1 leaves it unchanged.
    pub temperature: f64,
}

/// One image to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job<P, I> {
    /// Prompt of the image.
    pub prompt: P,
    /// Index of the image, from which its random streams are derived.
    pub image: ImageIndex,
    /// Image that contains the known tokens of the plan; ignored if the plan covers the whole grid.
    pub init: Option<I>,
}

impl<P, I> Job<P, I> {
    /// Creates a job without an initial image.
    pub fn new(prompt: P, image: ImageIndex) -> Self {
        Self { prompt, image, init: None }
    }

    /// Sets the image from which the known tokens of the plan get their values.
    #[must_use]
    pub fn starting_from(self, init: I) -> Self {
        Self { init: Some(init), ..self }
    }
}

/// Job type of a model.
pub type JobOf<G> = Job<<G as MaskedGenerator>::Prompt, <G as MaskedGenerator>::Image>;

/// A plan prepared for sampling, with its detail rule and timesteps. If the plan sets no timestep limit, the limit of
/// the model applies ([`MaskedGenerator::head_kind`]).
///
/// # Examples
/// See `examples/custom_order.rs` of this crate for a run from schedule to image.
pub struct Sampler<'p> {
    plan: &'p Plan,
    detail: Box<dyn Detail>,
    solver: Box<dyn Solver>,
    groups: Vec<Vec<Timesteps>>,
    /// Choice temperature of the order.
    choice_temperature: f64,
}

impl fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("schedule", self.plan.schedule())
            .field("detail", &self.detail)
            .field("solver", &self.solver)
            .finish_non_exhaustive()
    }
}

impl<'p> Sampler<'p> {
    /// Prepares a plan.
    ///
    /// # Errors
    /// [`crate::Error::UnknownKind`] if the plan's solver is not registered, if a step has detail and the plan's detail
    /// rule is not, or if the plan's order is decided while sampling and not registered.
    pub fn new(plan: &'p Plan, registry: &Registry) -> Result<Self, crate::Error> {
        let has_detail = plan.steps().iter().any(|step| step.detail().is_some());
        let detail: Box<dyn Detail> =
            if has_detail { registry.detail(plan.detail())?.1 } else { Box::new(crate::detail::None {}) };
        let solver = registry.build_solver(plan.schedule().axis(AxisName::Solver))?;
        let choice_temperature = if plan.is_ranked() {
            registry.build_order(plan.schedule().axis(AxisName::Order))?.choice_temperature()
        } else {
            0.0
        };
        Ok(Self { plan, detail, solver, groups: groups(plan, plan.timestep_limit())?, choice_temperature })
    }

    /// Creates a batch of images, which [`Batch::run`] generates.
    pub fn batch<'a, P, I>(&'a self, jobs: &'a [Job<P, I>], settings: &'a Settings) -> Batch<'a, P, I> {
        Batch::new(self, jobs, settings)
    }

    /// Returns the timesteps of each step on a model with the given timestep limit.
    fn groups(&self, model: TimestepLimit) -> Result<Cow<'_, [Vec<Timesteps>]>, crate::Error> {
        let limit = self.plan.timestep_limit_on(model);
        if limit == self.plan.timestep_limit() {
            return Ok(Cow::Borrowed(&self.groups));
        }
        groups(self.plan, limit).map(Cow::Owned)
    }

    /// Returns the first AR step, from 1, with more than one diffusion step, and that number.
    fn most_diffusion_steps(&self) -> Option<(usize, usize)> {
        let longest = |groups: &Vec<Timesteps>| groups.iter().map(Timesteps::evaluations).max().unwrap_or(1);
        (1..).zip(self.groups.iter().map(longest)).find(|(_, steps)| *steps > 1)
    }

    fn check<G: MaskedGenerator, O>(&self, generator: &G, settings: &Settings) -> Result<(), SampleError<G::Error, O>> {
        let (plan, model) = (self.plan.grid(), generator.grid());
        if plan != model {
            return Err(SampleError::Grid { plan, model });
        }
        self.check_model(generator.head_kind(), |need| need.is_provided_by(generator), settings)
    }

    /// Checks whether a model on the grid of the plan can run it: its head, and the capabilities that it `provides`. The model
    /// itself is not needed, so that a search can leave out plans before it runs them.
    ///
    /// # Errors
    /// [`SampleError::Unsupported`] if the plan requires a capability that the model does not provide;
    /// [`SampleError::Setting`] if a setting is out of range or does not fit the solver;
    /// [`SampleError::DiffusionSteps`] if the head takes no diffusion steps, but the plan has some.
    ///
    /// # Examples
    /// ```
    /// use std::convert::Infallible;
    /// use gtr_core::sampler::{SampleError, Settings};
    /// use gtr_core::{AxisConfig, AxisName, Capability, Grid, Guidance, HeadKind, Registry, Sampler, Seed, preset};
    ///
    /// let mut schedule = preset::find("mar-8")?.schedule.clone();
    /// schedule.set_axis(AxisName::Reuse, AxisConfig::new("lazymar"));
    /// let registry = Registry::builtin();
    /// let plan = schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
    /// let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    /// let provides = |it| it == Capability::LearnedVariance;
    /// let checked = Sampler::new(&plan, &registry)?.check_model(HeadKind::DIFFUSION, provides, &settings);
    /// assert!(matches!(checked, Err(SampleError::<Infallible>::Unsupported(Capability::Reuse))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_model<E, O>(
        &self,
        head: HeadKind,
        provides: impl Fn(Capability) -> bool,
        settings: &Settings,
    ) -> Result<(), SampleError<E, O>> {
        let begins: &[Capability] = if self.plan.known().is_empty() { &[] } else { &[Capability::Encoding] };
        let reuses = plan_reuses(self.plan).then_some(&Capability::Reuse);
        let ranks = self.plan.is_ranked().then_some(&Capability::Confidence);
        // A categorical head has no diffusion steps for a solver to take.
        let categorical = matches!(head, HeadKind::Categorical { .. });
        let solver = if categorical { &[] } else { self.solver.requirements() };
        let axes = self.detail.requirements().iter().chain(solver).chain(reuses).chain(ranks);
        let mut needs = axes.chain(begins);
        if let Some(&missing) = needs.find(|need| !provides(**need)) {
            return Err(SampleError::Unsupported(missing));
        }
        if !(0.0..=100.0).contains(&settings.temperature) {
            let found = settings.temperature.to_string();
            return Err(SampleError::Setting(crate::OutOfRange { what: "a temperature", expected: "0 to 100", found }));
        }
        if settings.temperature != 1.0 && !categorical && !self.solver.adds_noise() {
            let what = "the temperature of a solver that adds no noise";
            let found = settings.temperature.to_string();
            return Err(SampleError::Setting(crate::OutOfRange { what, expected: "1", found }));
        }
        if categorical && let Some((step, steps)) = self.most_diffusion_steps() {
            return Err(SampleError::DiffusionSteps { step, steps });
        }
        Ok(())
    }
}

fn plan_reuses(plan: &Plan) -> bool {
    plan.steps().iter().any(|step| step.axes().reuse.is_some())
}

/// Returns, for each step of a plan, the timesteps of its tokens and, if it has detail, those of the picked tokens.
fn groups(plan: &Plan, limit: TimestepLimit) -> Result<Vec<Vec<Timesteps>>, crate::Error> {
    let of_step = |step: &Step| {
        let detail = step.detail().map(|detail| detail.diffusion_steps);
        let steps = std::iter::once(step.diffusion_steps()).chain(detail);
        Ok(steps.map(|steps| Timesteps::new(steps, limit)).collect::<Result<_, _>>()?)
    };
    plan.steps().iter().map(of_step).collect()
}
