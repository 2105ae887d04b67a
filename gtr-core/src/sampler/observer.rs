//! Observers of a run.

use std::convert::Infallible;
use std::ops::ControlFlow;

use crate::{HeadRow, MaskedGenerator, Step, StepContext, Targets, Timesteps};

/// A completed AR step.
#[derive(Debug)]
pub struct StepEvent<'a, G: MaskedGenerator> {
    /// Index of the step in the plan, from 0.
    pub index: usize,
    /// Number of AR steps of the plan.
    pub steps: usize,
    /// The step.
    pub step: &'a Step,
    /// The tokens that the step drew. In a ranked stage these are all unknown tokens of the stage, in other stages the
    /// targets.
    pub candidates: &'a Targets,
    /// The tokens that the step generated: the candidates that it kept.
    pub targets: &'a Targets,
    /// For each image, the positions among its targets of the tokens that the detail rule picked.
    pub picked: &'a [Vec<usize>],
    /// Input rows of the diffusion head for the targets, in the order of [`Targets::rows`].
    pub rows: &'a [HeadRow],
    /// The step as the model computed it, with its guidance scale.
    pub context: &'a StepContext,
    /// Timesteps of the step: first those of the other tokens, then those of the picked tokens, if any.
    pub timesteps: &'a [Timesteps],
    /// Conditioning vectors of the candidates.
    pub features: &'a G::Features,
    /// State of the images after the step.
    pub canvas: &'a G::Canvas,
    /// The model.
    pub generator: &'a G,
}

/// Observes a run, for example to show progress, to write a trace, or to stop it.
pub trait Observer<G: MaskedGenerator> {
    /// Error of the observer; [`Infallible`] if it cannot fail.
    type Error;

    /// Called once per batch, before its first AR step.
    ///
    /// # Errors
    /// An error ends the run with [`SampleError::Observer`](super::SampleError::Observer).
    fn start(&mut self, _generator: &G, _canvas: &G::Canvas) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Called after each AR step. [`ControlFlow::Break`] stops the run before the next step; after the last step it has
    /// no effect.
    ///
    /// # Errors
    /// An error ends the run with [`SampleError::Observer`](super::SampleError::Observer), also after the last step.
    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Self::Error>;
}

/// Observes nothing.
impl<G: MaskedGenerator> Observer<G> for () {
    type Error = Infallible;

    fn step(&mut self, _event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Infallible> {
        Ok(ControlFlow::Continue(()))
    }
}

impl<G: MaskedGenerator, O: Observer<G> + ?Sized> Observer<G> for &mut O {
    type Error = O::Error;

    fn start(&mut self, generator: &G, canvas: &G::Canvas) -> Result<(), O::Error> {
        (**self).start(generator, canvas)
    }

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, O::Error> {
        (**self).step(event)
    }
}
