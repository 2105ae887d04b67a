//! The detail axis: the tokens of a step that get extra diffusion steps, and their number of diffusion steps.

pub(crate) mod spectrum;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::implementations;
use crate::{Capability, DiffusionSteps, Share, Stream, TokenIndex};

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
    fn needs(&self) -> &'static [Capability] {
        &[]
    }

    /// Returns the score of each token by which the rule ranks them; `None` if it does not rank by score.
    fn scores(&self, _candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        None
    }

    /// Returns the positions in `candidates.tokens` of the `count` picked tokens, ascending and without duplicates.
    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize>;
}

implementations! { dyn Detail:
    fts::Fts,
    full::Full,
    low_frequency::LowFrequency,
    none::None,
    random::Random,
}

/// Parameters shared by all rules that pick a fraction of the tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
struct Part {
    /// Fraction of the tokens of each reconstruction step to pick, 0 to 1. The count is rounded half away from zero.
    beta: Share,
    /// Number of diffusion steps for each picked token.
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

/// Returns the positions of the `count` tokens with the smallest `key`, ascending. Ties go to the lower token index.
fn first_by(candidates: &Candidates<'_>, count: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut ranked: Vec<(f64, TokenIndex, usize)> =
        candidates.tokens.iter().enumerate().map(|(position, &token)| (key(position), token, position)).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut picked: Vec<usize> = ranked.into_iter().take(count).map(|(.., position)| position).collect();
    picked.sort_unstable();
    picked
}
