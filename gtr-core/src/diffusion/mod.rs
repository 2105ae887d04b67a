//! The diffusion axis: the number of diffusion steps of each AR step, and the timesteps that they use.

use std::fmt::Debug;

use crate::component::implementations;
pub use crate::shape::StepShape;
use crate::{DiffusionSteps, TimestepLimit};

/// Sets the number of diffusion steps of each AR step.
pub trait Diffusion: Debug + Send + Sync {
    /// Returns the number of diffusion steps of each AR step, one value per element of `steps`.
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps>;

    /// Returns the timestep limit that applies if neither the schedule nor the model sets one.
    fn limit(&self) -> TimestepLimit {
        TimestepLimit::NONE
    }
}

implementations! { Diffusion:
    constant::Constant,
    disa::Disa,
    stage_aware::StageAware,
}

pub use disa::Annealing;

/// Checks `t_min <= t_max`.
fn check_ends(t_max: DiffusionSteps, t_min: DiffusionSteps) -> Result<(), String> {
    if t_min <= t_max { Ok(()) } else { Err(format!("`t_min` must be at most `t_max`, found {t_min} and {t_max}")) }
}
