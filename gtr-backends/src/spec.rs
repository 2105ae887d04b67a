//! Description of a model without its weights.

use gtr_core::cost::ArchSpec;
use gtr_core::{Grid, GuidanceSchedule, TimestepLimit};

/// Description of a model without its weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// Sizes that determine the cost of a plan. `arch.text` is set for text-conditional models.
    pub arch: ArchSpec,
    /// Token grid.
    pub grid: Grid,
    /// Timesteps that the model supports.
    pub timestep_limit: TimestepLimit,
    /// Default guidance scale.
    pub guidance: Option<f64>,
    /// Schedule of the guidance scale over the AR steps.
    pub guidance_schedule: GuidanceSchedule,
    /// Number of classes of a class-conditional model.
    pub classes: Option<usize>,
}

impl ModelSpec {
    /// Describes a model without classes, with all timesteps and no default guidance scale.
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
