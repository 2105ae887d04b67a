//! The sampling loop: the only one, for any plan and any model.

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

/// How a plan is sampled; what the plan itself leaves open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What all randomness grows from.
    pub seed: Seed,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Factor of the noise that is added after each evaluation of the diffusion head; 1 is the model's own.
    pub temperature: f64,
}

/// One image to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job<P, I> {
    /// What it is asked for by.
    pub prompt: P,
    /// Its number, which keys its randomness.
    pub image: ImageIndex,
    /// The finished image that has the tokens which the plan knows; a plan of a whole grid takes nothing of it.
    pub init: Option<I>,
}

impl<P, I> Job<P, I> {
    /// An image that starts from nothing.
    pub fn new(prompt: P, image: ImageIndex) -> Self {
        Self { prompt, image, init: None }
    }

    /// The same image, but the tokens that the plan knows have the values that they have in `init`, and keep them.
    #[must_use]
    pub fn starting_from(self, init: I) -> Self {
        Self { init: Some(init), ..self }
    }
}

/// A job of a model.
pub type JobOf<G> = Job<<G as MaskedGenerator>::Prompt, <G as MaskedGenerator>::Image>;

/// A plan made ready to run: its detail rule found, its timesteps laid out. A plan that names no timestep limit is run with the
/// model's own ([`MaskedGenerator::timestep_limit`]).
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
    /// Makes a plan ready.
    ///
    /// # Errors
    /// [`crate::Error::UnknownKind`] if a step has detail and the plan's detail rule is not registered.
    pub fn new(plan: &'p Plan, registry: &Registry) -> Result<Self, crate::Error> {
        let has_detail = plan.steps().iter().any(|step| step.detail().is_some());
        let detail: Box<dyn Detail> =
            if has_detail { registry.detail(plan.detail())?.1 } else { Box::new(crate::detail::None {}) };
        Ok(Self { plan, detail, groups: groups(plan, plan.timestep_limit())? })
    }

    /// A batch of images to make: [`Batch::run`] makes them.
    pub fn batch<'a, P, I>(&'a self, jobs: &'a [Job<P, I>], settings: &'a Settings) -> Batch<'a, P, I> {
        Batch::new(self, jobs, settings)
    }

    /// The timesteps of each step on a model with this limit of its own.
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
        let mut needs = self.detail.needs().iter().chain(begins);
        if let Some(&missing) = needs.find(|need| !generator.offers().contains(need)) {
            return Err(SampleError::Unsupported(missing));
        }
        if !(0.0..=100.0).contains(&settings.temperature) {
            let found = settings.temperature.to_string();
            return Err(SampleError::Setting(crate::OutOfRange { what: "a temperature", expected: "0 to 100", found }));
        }
        Ok(())
    }
}

/// Of each step of a plan the timesteps of its plain tokens and, if it has detail, of those that are picked.
fn groups(plan: &Plan, limit: TimestepLimit) -> Result<Vec<Vec<Timesteps>>, crate::Error> {
    let of_step = |step: &Step| {
        let detail = step.detail().map(|detail| detail.diffusion_steps);
        let steps = std::iter::once(step.diffusion_steps()).chain(detail);
        Ok(steps.map(|steps| Timesteps::new(steps, limit)).collect::<Result<_, _>>()?)
    };
    plan.steps().iter().map(of_step).collect()
}
