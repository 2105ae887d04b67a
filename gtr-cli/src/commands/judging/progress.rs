//! Progress and remaining time of an evaluation.

use std::time::{Duration, Instant};

use gtr_core::count;
use gtr_lab::progress;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::output;

/// Interval between progress lines if standard error is not a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Progress bar in operations rather than images, because the images of different subjects differ in cost.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    all: u64,
    done: u64,
    /// Total operations.
    work: f64,
    /// Finished operations.
    worked: f64,
    /// Operations of an AR step of the current batch.
    step: f64,
    started: Instant,
    reported: Instant,
}

/// Length of the bar.
const PARTS: u64 = 10_000;

impl Progress {
    /// Creates a hidden bar without work.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let bar = ProgressBar::hidden();
        Self { bar, all: 0, done: 0, work: 0.0, worked: 0.0, step: 0.0, started: now, reported: now }
    }
}

impl progress::Progress for Progress {
    fn start(&mut self, images: u64, operations: f64) {
        let bar = ProgressBar::with_draw_target(Some(PARTS), output::progress_target());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {msg}, {eta} left") {
            bar.set_style(style);
        }
        *self = Self { bar, all: images, work: operations, ..Self::new() };
    }

    #[expect(clippy::cast_precision_loss, reason = "at most one step per token")]
    fn batch(&mut self, subject: &str, operations: f64, ar_steps: usize) {
        self.step = operations / ar_steps.max(1) as f64;
        self.bar.set_message(format!("{}/{} of {subject}", self.done, count(self.all, "image")));
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a position on the bar"
    )]
    fn step(&mut self) {
        self.worked += self.step;
        self.bar.set_position((self.worked / self.work * PARTS as f64) as u64);
    }

    fn judged(&mut self, images: usize) {
        self.done += images as u64;
        if self.bar.is_hidden() && self.done < self.all && self.reported.elapsed() >= BETWEEN_LINES {
            self.reported = Instant::now();
            let left = self.started.elapsed().mul_f64((self.work / self.worked - 1.0).clamp(0.0, 1e6));
            let (done, all) = (self.done, count(self.all, "image"));
            output::note(format_args!("{done} of {all} evaluated, about {} left", HumanDuration(left)));
        }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
