//! Detail: which tokens of a step get extra diffusion steps, and how many?

mod ranking;
mod selection;
pub(crate) mod spectrum;

use std::fmt::Debug;

pub use selection::TokenSelection;

use crate::component::implementations;
use crate::{Capability, DiffusionSteps, Stream, TokenIndex};

/// How many tokens of a step a detail rule picks, and what they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetailShare {
    /// Tokens picked of each image.
    pub tokens: usize,
    /// Their diffusion steps.
    pub diffusion_steps: DiffusionSteps,
}

/// The tokens of one image that a step generates.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// The tokens.
    pub tokens: &'a [TokenIndex],
    /// Length of a conditioning vector; 0 if the rule does not ask for them.
    pub width: usize,
    /// Their conditioning vectors, one after the other; empty if the rule does not ask for them.
    pub features: &'a [f32],
    /// Random numbers of this image and step.
    pub stream: Stream,
}

/// Picks tokens of the reconstruction for extra diffusion steps.
pub trait Detail: Debug + Send + Sync {
    /// What a reconstruction step of `tokens` tokens spends; `None` for nothing.
    fn share(&self, tokens: usize) -> Option<DetailShare>;

    /// Whether the rule can pick at all: a rule that can is refused for a plan without a reconstruction stage.
    fn picks(&self) -> bool {
        true
    }

    /// What a model must offer so that the rule can pick.
    fn needs(&self) -> &'static [Capability] {
        &[]
    }

    /// By what the rule ranks tokens, a number each; `None` if not by a number.
    fn scores(&self, _candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        None
    }

    /// Positions in `candidates.tokens` of the `count` tokens picked, ascending and without repetition.
    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize>;
}

implementations! { Detail:
    fts::Fts,
    full::Full,
    low_frequency::LowFrequency,
    none::None,
    random::Random,
}
