//! The order of the tokens within a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::farthest::farthest;
use super::lattice::lattice;
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
    /// Sub-lattice by sub-lattice, all images alike: each half of the stage is spread like the stage, and so is each half of it.
    Lattice,
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
        let shuffled = || {
            let mut order = tokens.to_vec();
            Stream::new(seed, Purpose::TokenOrder, image, stage as u64).shuffle(&mut order);
            order
        };
        match self {
            Self::Random => shuffled(),
            Self::Farthest => farthest(grid, known, &shuffled()),
            Self::Lattice => lattice(grid, tokens),
            Self::Listed => tokens.to_vec(),
        }
    }

    /// Whether the order is drawn by seed, each image its own.
    pub fn is_drawn(self) -> bool {
        matches!(self, Self::Random | Self::Farthest)
    }
}
