//! All tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidates, Detail, DetailShare};
use crate::{Component, DiffusionSteps};

/// Picks every token of the reconstruction, as a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Full {
    /// Number of diffusion steps for the tokens of the reconstruction.
    pub t_detail: DiffusionSteps,
}

impl Default for Full {
    fn default() -> Self {
        Self { t_detail: DiffusionSteps::literal(50) }
    }
}

impl Component for Full {
    const KIND: &'static str = "full";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 4.4, table 4 (Full-Enhanced)";
}

impl Detail for Full {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        Some(DetailShare { tokens, diffusion_steps: self.t_detail })
    }

    fn pick(&self, candidates: Candidates<'_>, _count: usize) -> Vec<usize> {
        (0..candidates.tokens.len()).collect()
    }
}
