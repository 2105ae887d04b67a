//! Constant diffusion steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Diffusion, StepShape};
use crate::{Component, DiffusionSteps};

/// The same number of diffusion steps for every AR step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {
    /// Number of diffusion steps per AR step, 1 to 1000.
    pub t: DiffusionSteps,
}

impl Default for Constant {
    fn default() -> Self {
        Self { t: DiffusionSteps::literal(100) }
    }
}

impl Component for Constant {
    const KIND: &'static str = "constant";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838); 100 steps in GtR (arXiv 2510.17171), section 4.1";
}

impl Diffusion for Constant {
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps> {
        vec![self.t; steps.len()]
    }
}
