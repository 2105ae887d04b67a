//! Progress bar of a run.

use std::time::Instant;

use gtr_core::MaskedGenerator;
use gtr_core::sampler::{Flow, Observer, StepEvent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::signals::Stop;

/// Progress bar over the AR steps of all batches. It is hidden if standard error is not a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    images: u64,
    done: u64,
    stop: Stop,
    /// Start of the current batch.
    started: Instant,
}

impl Progress {
    /// Creates a bar of `steps` AR steps that generate `images` images.
    pub(super) fn new(steps: u64, images: u64, stop: Stop) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} AR steps, {msg}, {eta} left") {
            bar.set_style(style);
        }
        let progress = Self { bar, images, done: 0, stop, started: Instant::now() };
        progress.tell();
        progress
    }

    fn tell(&self) {
        let Self { images, done, .. } = self;
        self.bar.set_message(format!("{done}/{images} image{}", if *images == 1 { "" } else { "s" }));
    }

    /// Draws above the bar, which is hidden meanwhile.
    pub(super) fn above(&self, draw: impl FnOnce()) {
        self.bar.suspend(draw);
    }

    /// Counts finished images.
    pub(super) fn done(&mut self, images: usize) {
        self.done += images as u64;
        self.tell();
    }

    /// Removes the bar.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl<G: MaskedGenerator> Observer<G> for Progress {
    fn start(&mut self, _generator: &G, _canvas: &G::Canvas) {
        self.started = Instant::now();
    }

    fn step(&mut self, event: &StepEvent<'_, G>) -> Flow {
        let (stage, tokens) = (event.step.stage(), event.step.tokens());
        tracing::debug!(step = event.index + 1, of = event.steps, stage, tokens, guidance = event.guidance, "AR step");
        self.bar.inc(1);
        self.stop.flow(self.started, event.index + 1, event.steps)
    }
}
