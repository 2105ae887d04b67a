//! What is known of a model without its weights.

use gtr_core::cost::ArchSpec;
use gtr_core::{Grid, GuidanceSchedule, TimestepLimit};

/// What is known of a model without its weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// The sizes that decide what a plan costs. Those of a text are there if the model makes images of texts.
    pub arch: ArchSpec,
    /// Its token grid.
    pub grid: Grid,
    /// The timesteps that it is good for.
    pub timestep_limit: TimestepLimit,
    /// Its own scale of guidance.
    pub guidance: Option<f64>,
    /// How that scale moves over the AR steps.
    pub guidance_schedule: GuidanceSchedule,
    /// Number of its classes, if it makes images of classes.
    pub classes: Option<usize>,
}

impl ModelSpec {
    /// A model of these sizes on this grid, of no classes, with all timesteps and no guidance of its own.
    pub fn new(arch: ArchSpec, grid: Grid) -> Self {
        Self {
            arch,
            grid,
            timestep_limit: TimestepLimit::NONE,
            guidance: None,
            guidance_schedule: GuidanceSchedule::default(),
            classes: None,
        }
    }

    /// Length of a conditioning vector.
    pub fn condition_width(&self) -> usize {
        self.arch.text.map_or(self.arch.decoder.width, |text| text.decoder.width)
    }
}
