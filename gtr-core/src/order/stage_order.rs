//! The order of the tokens within a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::farthest::farthest;
use super::lattice::lattice;
use crate::{Grid, ImageIndex, Seed, Stream, StreamPurpose, TokenIndex};

/// Order of the tokens within a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageOrder {
    /// Random order, different for each image.
    #[default]
    Random,
    /// Farthest-point order: the next token is the one farthest from all tokens generated so far. Ties, and the first
    /// token of an image, are drawn from the seed.
    Farthest,
    /// Sub-lattice by sub-lattice, the same for all images: each half of the stage, each quarter and so on is spread as
    /// evenly as the stage.
    Lattice,
    /// The order in which the plan lists the tokens, the same for all images.
    #[serde(skip)]
    Listed,
    /// Decided while sampling: each step draws all unknown tokens of the stage, and keeps those that the model is most
    /// confident of.
    #[serde(skip)]
    Ranked,
}

impl StageOrder {
    /// Returns the tokens of one stage in generation order. The order of a ranked stage is not known before it is sampled:
    /// its tokens are returned as listed.
    ///
    /// `stage` is the index of the stage in the plan, `tokens` lists its tokens as the plan does, and `known` holds the
    /// tokens of all earlier stages.
    pub fn arrange(
        self,
        grid: Grid,
        (seed, image, stage): (Seed, ImageIndex, usize),
        known: &[TokenIndex],
        tokens: &[TokenIndex],
    ) -> Vec<TokenIndex> {
        let shuffled = || {
            let mut order = tokens.to_vec();
            Stream::new(seed, StreamPurpose::TokenOrder, image, stage as u64).shuffle(&mut order);
            order
        };
        match self {
            Self::Random => shuffled(),
            Self::Farthest => farthest(grid, known, &shuffled()),
            Self::Lattice => lattice(grid, tokens),
            Self::Listed | Self::Ranked => tokens.to_vec(),
        }
    }

    /// Returns true if the order is drawn from the seed and differs between images.
    pub fn is_drawn(self) -> bool {
        matches!(self, Self::Random | Self::Farthest)
    }
}
