//! Uniform pace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::share::among_stages;
use super::{Pace, StageSizes, even};
use crate::{ArSteps, Component, Error, FitPolicy};

/// Steps of equal size.
///
/// Steps are divided among the stages in proportion to their tokens; within a stage the sizes differ by at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Uniform {
    /// Total number of AR steps.
    pub steps: ArSteps,
}

impl Default for Uniform {
    fn default() -> Self {
        Self { steps: ArSteps::literal(64) }
    }
}

impl Component for Uniform {
    const KIND: &'static str = "uniform";
    const SOURCE: &'static str = "ours, as the simplest baseline";
}

impl Pace for Uniform {
    fn steps(&self, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        let shares = among_stages(self.steps, stages, fit)?;
        Ok(stages.stages.iter().zip(shares).map(|(stage, steps)| even(stage.tokens, steps)).collect())
    }
}
