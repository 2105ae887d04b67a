//! The detail axis: the tokens of a step that get extra diffusion steps, and their number of diffusion steps.

mod ranking;
mod selection;
pub(crate) mod spectrum;

use std::fmt::Debug;

pub use ranking::first_by;
pub use selection::TokenSelection;

use crate::component::implementations;
use crate::{Capability, DiffusionSteps, Stream, TokenIndex};

/// Number of tokens of a step that a detail rule picks, and their diffusion steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetailShare {
    /// Number of tokens picked per image.
    pub tokens: usize,
    /// Number of diffusion steps for each picked token.
    pub diffusion_steps: DiffusionSteps,
}

/// The tokens that a step generates in one image, from which a detail rule picks.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// The tokens, in any order.
    pub tokens: &'a [TokenIndex],
    /// Length of a conditioning vector; 0 if the rule does not require them.
    pub width: usize,
    /// The conditioning vectors, `[tokens, width]`; empty if the rule does not require them.
    pub features: &'a [f32],
    /// Random stream of this image and step.
    pub stream: Stream,
}

/// Picks tokens of the reconstruction for extra diffusion steps.
pub trait Detail: Debug + Send + Sync {
    /// Returns the number of tokens that a reconstruction step of `tokens` tokens picks, and their diffusion steps;
    /// `None` if it picks none.
    fn share(&self, tokens: usize) -> Option<DetailShare>;

    /// Returns true if the rule can pick tokens. Planning rejects such a rule, or drops it if the schedule adapts, if
    /// the plan has no reconstruction stage.
    fn picks(&self) -> bool {
        true
    }

    /// Returns the capabilities that the rule requires of a model.
    fn requirements(&self) -> &'static [Capability] {
        &[]
    }

    /// Returns the score of each token by which the rule ranks them; `None` if it does not rank by score.
    fn scores(&self, _candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        None
    }

    /// Returns the positions in `candidates.tokens` of the `count` picked tokens, ascending and without duplicates.
    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize>;
}

implementations! { Detail:
    fts::Fts,
    full::Full,
    low_frequency::LowFrequency,
    none::None,
    random::Random,
}
