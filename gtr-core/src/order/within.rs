//! The order of the tokens within a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::farthest::farthest;
use crate::{Grid, ImageIndex, Purpose, Seed, Stream, TokenIndex};

/// In which order the tokens of a stage are generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// At random, each image its own order.
    #[default]
    Random,
    /// The token that is farthest from all tokens generated so far comes next; ties, and the first token of an image, are
    /// drawn by seed.
    Farthest,
    /// As the plan lists them, all images alike.
    #[serde(skip)]
    Listed,
}

impl Within {
    /// The order of one stage's tokens.
    ///
    /// `stage` is the position of the stage in the plan, `tokens` its tokens as the plan lists them, `known` the tokens of
    /// the stages before.
    pub fn arrange(
        self,
        grid: Grid,
        (seed, image, stage): (Seed, ImageIndex, usize),
        known: &[TokenIndex],
        tokens: &[TokenIndex],
    ) -> Vec<TokenIndex> {
        let mut order = tokens.to_vec();
        if self != Self::Listed {
            Stream::new(seed, Purpose::TokenOrder, image, stage as u64).shuffle(&mut order);
        }
        if self == Self::Farthest { farthest(grid, known, &order) } else { order }
    }
}
