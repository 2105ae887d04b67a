//! Progress bar of a run.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::Instant;

use gtr_core::MaskedGenerator;
use gtr_core::sampler::{Observer, StepEvent};
use gtr_run::Interrupt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Progress bar over the AR steps of all batches. It is hidden if standard error is not a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    images: u64,
    done: u64,
    interrupt: Interrupt,
    /// Start of the current batch.
    started: Instant,
}

impl Progress {
    /// Creates a bar of `steps` AR steps that generate `images` images.
    pub(super) fn new(steps: u64, images: u64, interrupt: &Interrupt) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), output::progress_target());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} AR steps, {msg}, {eta} left") {
            bar.set_style(style);
        }
        let progress = Self { bar, images, done: 0, interrupt: interrupt.clone(), started: Instant::now() };
        progress.describe();
        progress
    }

    fn describe(&self) {
        let Self { images, done, .. } = self;
        self.bar.set_message(format!("{done}/{}", gtr_core::count(*images, "image")));
    }

    /// Draws above the bar, which is hidden meanwhile.
    pub(super) fn above(&self, draw: impl FnOnce()) {
        self.bar.suspend(draw);
    }

    /// Counts finished images.
    pub(super) fn done(&mut self, images: usize) {
        self.done += images as u64;
        self.describe();
    }

    /// Removes the bar.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl<G: MaskedGenerator> Observer<G> for Progress {
    type Error = Infallible;

    fn start(&mut self, _generator: &G, _canvas: &G::Canvas) -> Result<(), Infallible> {
        self.started = Instant::now();
        Ok(())
    }

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Infallible> {
        let (stage, tokens) = (event.step.stage(), event.step.tokens());
        tracing::debug!(
            step = event.index + 1,
            of = event.steps,
            stage,
            tokens,
            guidance = event.context.guidance,
            "AR step"
        );
        self.bar.inc(1);
        Ok(self.interrupt.flow(self.started, event.index + 1, event.steps))
    }
}
