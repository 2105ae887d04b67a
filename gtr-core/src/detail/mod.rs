//! Detail: which tokens of a step get extra diffusion steps, and how many?

pub(crate) mod spectrum;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::implementations;
use crate::{Capability, DiffusionSteps, Share, Stream, TokenIndex};

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

implementations! { dyn Detail:
    fts::Fts,
    full::Full,
    low_frequency::LowFrequency,
    none::None,
    random::Random,
}

/// The parameters that rules for a share of the tokens have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Part {
    /// Share of a reconstruction step's tokens that are picked, 0 to 1; the number is rounded, half away from zero.
    beta: Share,
    /// Diffusion steps of the tokens picked.
    t_detail: DiffusionSteps,
}

impl Default for Part {
    fn default() -> Self {
        Self { beta: Share::literal(0.1), t_detail: DiffusionSteps::literal(50) }
    }
}

impl Part {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        let picked = self.beta.of(tokens);
        (picked > 0).then_some(DetailShare { tokens: picked, diffusion_steps: self.t_detail })
    }

    #[cfg(any(test, feature = "testing"))]
    fn arbitrary() -> impl proptest::strategy::Strategy<Value = Self> {
        use proptest::prelude::*;
        (0.0..=1.0f64, 1..=500u32)
            .prop_map(|(beta, t)| Self { beta: Share::literal(beta), t_detail: DiffusionSteps::literal(t) })
    }
}

/// Positions of the `count` tokens that come first by `key`, ties to the lower token, ascending.
fn first_by(candidates: &Candidates<'_>, count: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut ranked: Vec<(f64, TokenIndex, usize)> =
        candidates.tokens.iter().enumerate().map(|(position, &token)| (key(position), token, position)).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut picked: Vec<usize> = ranked.into_iter().take(count).map(|(.., position)| position).collect();
    picked.sort_unstable();
    picked
}
