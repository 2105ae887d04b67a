//! The pace axis: the number of tokens that each AR step generates.

mod share;

use std::fmt::Debug;

use crate::component::implementations;
use crate::{Error, FitPolicy};

/// A non-empty stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageSize {
    /// Index among the stages that the order requests, from 0, counting empty stages.
    pub number: usize,
    /// Number of tokens, at least 1.
    pub tokens: usize,
}

/// The stages that a pace divides into steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSizes {
    /// Number of stages that the order requests, including empty ones.
    pub asked: usize,
    /// The non-empty stages, in order.
    pub stages: Vec<StageSize>,
}

impl StageSizes {
    /// Returns the total number of tokens.
    pub fn tokens(&self) -> usize {
        self.stages.iter().map(|stage| stage.tokens).sum()
    }
}

/// Divides stages into AR steps.
///
/// # For implementors
/// Every stage needs at least one step and every step at least one token. The steps of a stage must add up to its
/// tokens.
pub trait Pace: Debug + Send + Sync {
    /// Returns the token counts of the steps, one list per stage in [`StageSizes::stages`].
    ///
    /// Report a parameter that the grid cannot satisfy through [`FitPolicy::instead`], which either returns an error or
    /// records the adaptation.
    ///
    /// # Errors
    /// Returns an error if the stages cannot be divided as the parameters require.
    fn steps(&self, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error>;
}

implementations! { Pace:
    cosine::Cosine,
    rates::Rates,
    uniform::Uniform,
}

pub use rates::per_stage;
pub use share::among_stages;

/// Divides `tokens` into `steps` sizes that differ by at most one: step s gets floor(n(s+1)/N) - floor(n s/N).
///
/// A stage must have at least as many tokens as steps; otherwise some sizes are 0.
///
/// # Examples
/// ```
/// use gtr_core::pace::even;
/// assert_eq!(even(10, 4), [2, 3, 2, 3]);
/// ```
pub fn even(tokens: usize, steps: usize) -> Vec<usize> {
    (0..steps).map(|step| tokens * (step + 1) / steps - tokens * step / steps).collect()
}
