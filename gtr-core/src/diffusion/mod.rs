//! Diffusion: how many diffusion steps does each AR step get, over which timesteps?

use std::fmt::Debug;

use crate::component::implementations;
use crate::{DiffusionSteps, Role, TimestepLimit};

/// An AR step, as a diffusion curve sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepShape {
    /// Position of its stage.
    pub stage: usize,
    /// Role of its stage.
    pub role: Role,
    /// How many tokens it generates.
    pub tokens: usize,
}

/// Gives each AR step its number of diffusion steps.
pub trait Diffusion: Debug + Send + Sync {
    /// The diffusion steps of each AR step, as many as there are steps.
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps>;

    /// The upper end of the timesteps where neither the schedule nor the model says one.
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

/// The check of `t_min <= t_max` that several curves share.
fn check_ends(t_max: DiffusionSteps, t_min: DiffusionSteps) -> Result<(), String> {
    if t_min <= t_max {
        Ok(())
    } else {
        Err(format!("`t_min` is {t_min}, more than `t_max`, which is {t_max}: the curve falls"))
    }
}
