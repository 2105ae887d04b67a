//! How far a run is.

use gtr_core::MaskedGenerator;
use gtr_core::sampler::{Flow, Observer, StepEvent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the AR steps of all batches; nothing where standard error is no terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub(super) fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} AR steps, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.0.finish_and_clear();
    }
}

impl<G: MaskedGenerator> Observer<G> for Progress {
    fn step(&mut self, event: &StepEvent<'_, G>) -> Flow {
        let (stage, tokens) = (event.step.stage(), event.step.tokens());
        tracing::debug!(step = event.index + 1, of = event.steps, stage, tokens, guidance = event.guidance, "AR step");
        self.0.inc(1);
        Flow::Continue
    }
}
