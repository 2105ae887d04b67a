//! Pace: how many tokens does each AR step generate?

mod share;

use std::fmt::Debug;

use crate::component::implementations;
use crate::{Error, Fit};

/// A stage that has tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageSize {
    /// Its number among the stages that the order asks for, from 0; stages that the grid leaves empty have one too.
    pub number: usize,
    /// How many tokens it has: at least one.
    pub tokens: usize,
}

/// The stages that a pace cuts into steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSizes {
    /// How many stages the order asks for, empty ones included.
    pub asked: usize,
    /// Those that have tokens, in order.
    pub stages: Vec<StageSize>,
}

impl StageSizes {
    /// Tokens of all stages.
    pub fn tokens(&self) -> usize {
        self.stages.iter().map(|stage| stage.tokens).sum()
    }
}

/// Cuts stages into AR steps.
///
/// # For implementors
/// Every stage gets at least one step, every step at least one token, and the steps of a stage together all of its tokens.
pub trait Pace: Debug + Send + Sync {
    /// The token counts of each stage's steps.
    ///
    /// What the grid cannot meet goes through [`Fit::instead`], which refuses it or notes what is done instead.
    ///
    /// # Errors
    /// Stages that cannot be cut as the parameters ask.
    fn steps(&self, stages: &StageSizes, fit: &mut Fit) -> Result<Vec<Vec<usize>>, Error>;
}

implementations! { Pace:
    cosine::Cosine,
    rates::Rates,
    uniform::Uniform,
}

pub use rates::per_stage;

/// `tokens` in `steps` steps whose sizes differ by at most one: step s gets floor(n(s+1)/N) - floor(n s/N).
pub(crate) fn even(tokens: usize, steps: usize) -> Vec<usize> {
    (0..steps).map(|step| tokens * (step + 1) / steps - tokens * step / steps).collect()
}
