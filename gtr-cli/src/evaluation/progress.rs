//! How far images that are made to be judged are, and when they will be done.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gtr_core::MaskedGenerator;
use gtr_core::sampler::{Observer, StepEvent};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::signals::Stop;
use crate::table::count;

/// Where nobody sees a bar, a line says as much, not more often than this.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// A bar whose length is the work, in operations, so that the time left is right where subjects differ.
pub(super) struct Progress {
    bar: ProgressBar,
    all: u64,
    done: u64,
    /// Operations in all, and those that are done.
    work: f64,
    worked: f64,
    /// Of an AR step of the batch in hand.
    step: f64,
    started: Instant,
    told: Instant,
    stop: Stop,
    /// When the batch in hand began.
    batch: Instant,
}

/// Parts of the bar.
const PARTS: u64 = 10_000;

impl Progress {
    /// So many images; they, and what comes after them, take so many operations.
    pub(super) fn new(images: u64, work: f64, stop: Stop) -> Self {
        let bar = ProgressBar::with_draw_target(Some(PARTS), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {msg}, {eta} left") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, all: images, done: 0, work, worked: 0.0, step: 0.0, started: now, told: now, stop, batch: now }
    }

    /// A batch begins, of so many operations in so many AR steps.
    #[expect(clippy::cast_precision_loss, reason = "at most as many steps as tokens")]
    pub(super) fn begin(&mut self, name: &str, operations: f64, steps: usize) {
        self.step = operations / steps.max(1) as f64;
        self.batch = Instant::now();
        self.bar.set_message(format!("{}/{} of {name}", self.done, count(self.all, "image")));
    }

    /// Takes note of images that are judged.
    pub(super) fn done(&mut self, images: usize) {
        self.done += images as u64;
        if self.bar.is_hidden() && self.done < self.all && self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            let left = self.started.elapsed().mul_f64((self.work / self.worked - 1.0).clamp(0.0, 1e6));
            let (done, all) = (self.done, count(self.all, "image"));
            output::note(format_args!("{done} of {all} judged, about {} left", HumanDuration(left)));
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl<G: MaskedGenerator> Observer<G> for Progress {
    type Error = Infallible;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place on the bar"
    )]
    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Infallible> {
        self.worked += self.step;
        self.bar.set_position((self.worked / self.work * PARTS as f64) as u64);
        Ok(self.stop.flow(self.batch, event.index + 1, event.steps))
    }
}
