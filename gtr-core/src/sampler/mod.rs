//! The sampling loop, for any plan and any model.

mod batch;
mod error;
mod observer;

use std::borrow::Cow;
use std::fmt;

pub use batch::Batch;
pub use error::SampleError;
pub use observer::{Observer, StepEvent};

use crate::{
    Capability, Detail, Guidance, ImageIndex, MaskedGenerator, Plan, Registry, Seed, Step, TimestepLimit, Timesteps,
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
/// the model applies ([`MaskedGenerator::timestep_limit`]).
///
/// # Examples
/// See `examples/custom_order.rs` of this crate for a run from schedule to image.
pub struct Sampler<'p> {
    plan: &'p Plan,
    detail: Box<dyn Detail>,
    groups: Vec<Vec<Timesteps>>,
}

impl fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("schedule", self.plan.schedule())
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl<'p> Sampler<'p> {
    /// Prepares a plan.
    ///
    /// # Errors
    /// [`crate::Error::UnknownKind`] if a step has detail and the plan's detail rule is not registered.
    pub fn new(plan: &'p Plan, registry: &Registry) -> Result<Self, crate::Error> {
        let has_detail = plan.steps().iter().any(|step| step.detail().is_some());
        let detail: Box<dyn Detail> =
            if has_detail { registry.detail(plan.detail())?.1 } else { Box::new(crate::detail::None {}) };
        Ok(Self { plan, detail, groups: groups(plan, plan.timestep_limit())? })
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

    fn check<G: MaskedGenerator, O>(&self, generator: &G, settings: &Settings) -> Result<(), SampleError<G::Error, O>> {
        let (plan, model) = (self.plan.grid(), generator.grid());
        if plan != model {
            return Err(SampleError::Grid { plan, model });
        }
        let begins: &[Capability] = if self.plan.known().is_empty() { &[] } else { &[Capability::Encoding] };
        let mut needs = self.detail.requirements().iter().chain(begins);
        if let Some(&missing) = needs.find(|need| !generator.capabilities().contains(need)) {
            return Err(SampleError::Unsupported(missing));
        }
        if !(0.0..=100.0).contains(&settings.temperature) {
            let found = settings.temperature.to_string();
            return Err(SampleError::Setting(crate::OutOfRange { what: "a temperature", expected: "0 to 100", found }));
        }
        Ok(())
    }
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
