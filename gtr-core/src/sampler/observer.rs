//! Following a run.

use std::convert::Infallible;
use std::ops::ControlFlow;

use crate::{MaskedGenerator, Row, Step, Targets, Timesteps};

/// An AR step that has been taken.
#[derive(Debug)]
pub struct StepEvent<'a, G: MaskedGenerator> {
    /// Its position in the plan, from 0.
    pub index: usize,
    /// How many steps the plan has.
    pub steps: usize,
    /// The step.
    pub step: &'a Step,
    /// The tokens that it generated.
    pub targets: &'a Targets,
    /// Positions, among each image's targets, of the tokens that a detail rule picked.
    pub picked: &'a [Vec<usize>],
    /// The rows that the diffusion head was asked for, in the order of [`Targets::rows`].
    pub rows: &'a [Row],
    /// The guidance scale that it used.
    pub guidance: f64,
    /// The groups of timesteps that it walked: those of its plain tokens, then those of the picked ones.
    pub timesteps: &'a [Timesteps],
    /// The conditioning vectors that it used.
    pub features: &'a G::Features,
    /// The images as they are now.
    pub canvas: &'a G::Canvas,
    /// The model.
    pub generator: &'a G,
}

/// Follows a run: progress bars, traces, a stop button.
pub trait Observer<G: MaskedGenerator> {
    /// Why it fails; [`Infallible`] if it does not.
    type Error;

    /// Called once per batch, before its first AR step.
    ///
    /// # Errors
    /// Ends the run with [`SampleError::Observer`](super::SampleError::Observer).
    fn start(&mut self, _generator: &G, _canvas: &G::Canvas) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Called after each AR step. [`ControlFlow::Break`] stops the run before the next step; after the last one there is
    /// nothing left to stop.
    ///
    /// # Errors
    /// Ends the run with [`SampleError::Observer`](super::SampleError::Observer), after the last step too.
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
