//! The network that draws token values, and its input.

use std::fmt::Debug;

use super::StepContext;
use crate::{ImageIndex, NoiseSource, Solver, TimestepLimit, Timesteps, TokenIndex};

/// The network that draws the value of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadKind {
    /// A diffusion head: predicts noise at a timestep.
    Diffusion {
        /// Timesteps that the head is meant to be evaluated at. A limit in the plan overrides it.
        timesteps: TimestepLimit,
        /// Variance of the reverse steps.
        variance: HeadVariance,
    },
    /// A flow-matching head: predicts the velocity at time (timestep + 1) / 1000, where 1 is noise.
    Flow {
        /// Timesteps that the head is meant to be evaluated at. A limit in the plan overrides it.
        timesteps: TimestepLimit,
    },
    /// A categorical head: draws a code from a distribution, in one evaluation. The plan must have one diffusion step in
    /// every AR step; its solver has no meaning.
    Categorical {
        /// Number of codes.
        vocabulary: usize,
    },
}

impl HeadKind {
    /// A diffusion head without a limit, which predicts variances.
    pub const DIFFUSION: Self = Self::Diffusion { timesteps: TimestepLimit::NONE, variance: HeadVariance::Learned };

    /// Returns the limit of the timesteps.
    pub fn timesteps(self) -> TimestepLimit {
        match self {
            Self::Diffusion { timesteps, .. } | Self::Flow { timesteps } => timesteps,
            Self::Categorical { .. } => TimestepLimit::NONE,
        }
    }
}

/// The variance of the reverse steps of a diffusion head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadVariance {
    /// The head predicts only the noise.
    Fixed,
    /// The head predicts the variance of each value, too ([`Capability::LearnedVariance`](crate::Capability::LearnedVariance)).
    ///
    /// # Source
    /// Improved DDPM (arXiv 2102.09672), section 3.1.
    Learned,
}

/// One token to denoise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// Image that contains the token. `image` and `token` are the address of the row's noise.
    pub image: ImageIndex,
    /// The token.
    pub token: TokenIndex,
    /// Index into [`Denoise::timesteps`] of the timesteps of this row.
    pub group: usize,
}

/// Input of the diffusion head: one row per target, in the order of [`Targets::rows`](super::Targets::rows).
#[derive(Clone, Copy)]
pub struct Denoise<'a> {
    /// Timesteps of each group of rows: one group, or two if a detail rule picks tokens.
    pub timesteps: &'a [Timesteps],
    /// The rows.
    pub rows: &'a [HeadRow],
    /// The AR step. Its guidance, temperature and [`StepReuse::head`](crate::StepReuse::head) apply to the head.
    pub step: &'a StepContext,
    /// Updates a token from one timestep to the next.
    pub solver: &'a dyn Solver,
    /// Source of all noise.
    pub noise: &'a dyn NoiseSource,
}

impl Debug for Denoise<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denoise")
            .field("timesteps", &self.timesteps)
            .field("rows", &self.rows)
            .field("step", &self.step)
            .field("solver", &self.solver)
            .finish_non_exhaustive()
    }
}
