//! Ancestral sampling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoiseLevel, Solver, Update};
use crate::{Capability, Component};

/// Ancestral sampling: a sample of the posterior of the noise process, with the variance that the model predicts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ddpm {}

impl Component for Ddpm {
    const KIND: &'static str = "ddpm";
    const SOURCE: &'static str =
        "MAR (arXiv 2406.11838); DDPM (arXiv 2006.11239) with learned variance (arXiv 2102.09672)";
}

impl Solver for Ddpm {
    fn update(&self, _levels: &[NoiseLevel], _evaluation: usize) -> Update {
        Update::Posterior
    }

    fn adds_noise(&self) -> bool {
        true
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::LearnedVariance]
    }
}
