//! Parameters of rules that pick a share of the tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DetailShare;
use crate::{DiffusionSteps, Fraction};

/// Parameters of rules that pick a share of the tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct TokenSelection {
    /// Fraction of the tokens of a reconstruction step to pick, 0 to 1. The number of tokens is rounded half away from
    /// zero.
    pub beta: Fraction,
    /// Diffusion steps of the picked tokens, 1 to 1000.
    pub t_detail: DiffusionSteps,
}

impl Default for TokenSelection {
    fn default() -> Self {
        Self { beta: Fraction::literal(0.1), t_detail: DiffusionSteps::literal(50) }
    }
}

impl TokenSelection {
    /// Returns the picked tokens of a step with `tokens` tokens, or `None` if the number rounds to 0.
    pub fn share(&self, tokens: usize) -> Option<DetailShare> {
        let picked = self.beta.of(tokens);
        (picked > 0).then_some(DetailShare { tokens: picked, diffusion_steps: self.t_detail })
    }
}
