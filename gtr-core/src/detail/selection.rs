//! The share of the tokens that a rule picks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DetailShare;
use crate::{DiffusionSteps, Share};

/// The parameters that rules for a share of the tokens have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct TokenSelection {
    /// Share of a reconstruction step's tokens that are picked, 0 to 1; the number is rounded, half away from zero.
    pub beta: Share,
    /// Diffusion steps of the tokens picked.
    pub t_detail: DiffusionSteps,
}

impl Default for TokenSelection {
    fn default() -> Self {
        Self { beta: Share::literal(0.1), t_detail: DiffusionSteps::literal(50) }
    }
}

impl TokenSelection {
    /// What a step of `tokens` tokens spends; `None` if the share rounds to no token.
    pub fn share(&self, tokens: usize) -> Option<DetailShare> {
        let picked = self.beta.of(tokens);
        (picked > 0).then_some(DetailShare { tokens: picked, diffusion_steps: self.t_detail })
    }
}
