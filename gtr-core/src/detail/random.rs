//! Random selection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidates, Detail, DetailShare, TokenSelection};
use crate::Component;

/// Picks a random fraction `beta` of the tokens, drawn from the seed, as a baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Random(pub TokenSelection);

impl Component for Random {
    const KIND: &'static str = "random";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 4.4, table 4 (Random)";
}

impl Detail for Random {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        self.0.share(tokens)
    }

    fn pick(&self, mut candidates: Candidates<'_>, count: usize) -> Vec<usize> {
        // Sorted by token, so that the selection does not depend on the generation order.
        let mut positions: Vec<usize> = (0..candidates.tokens.len()).collect();
        positions.sort_unstable_by_key(|&position| candidates.tokens[position]);
        candidates.stream.shuffle(&mut positions);
        positions.truncate(count);
        positions.sort_unstable();
        positions
    }
}
