//! How far images that are made to be judged are, and when they will be done.

use std::time::{Duration, Instant};

use gtr_draw::table::count;
use gtr_lab::progress;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Where nobody sees a bar, a line says as much, not more often than this.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// A bar whose length is the work, in operations, so that the time left is right where subjects differ.
#[derive(Debug)]
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
}

/// Parts of the bar.
const PARTS: u64 = 10_000;

impl Progress {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let bar = ProgressBar::hidden();
        Self { bar, all: 0, done: 0, work: 0.0, worked: 0.0, step: 0.0, started: now, told: now }
    }
}

impl progress::Progress for Progress {
    fn start(&mut self, images: u64, operations: f64) {
        let bar = ProgressBar::with_draw_target(Some(PARTS), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {msg}, {eta} left") {
            bar.set_style(style);
        }
        *self = Self { bar, all: images, work: operations, ..Self::new() };
    }

    #[expect(clippy::cast_precision_loss, reason = "at most as many steps as tokens")]
    fn batch(&mut self, subject: &str, operations: f64, ar_steps: usize) {
        self.step = operations / ar_steps.max(1) as f64;
        self.bar.set_message(format!("{}/{} of {subject}", self.done, count(self.all, "image")));
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place on the bar"
    )]
    fn step(&mut self) {
        self.worked += self.step;
        self.bar.set_position((self.worked / self.work * PARTS as f64) as u64);
    }

    fn judged(&mut self, images: usize) {
        self.done += images as u64;
        if self.bar.is_hidden() && self.done < self.all && self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            let left = self.started.elapsed().mul_f64((self.work / self.worked - 1.0).clamp(0.0, 1e6));
            let (done, all) = (self.done, count(self.all, "image"));
            output::note(format_args!("{done} of {all} judged, about {} left", HumanDuration(left)));
        }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
