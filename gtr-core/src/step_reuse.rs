//! What an AR step takes from earlier steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DiffusionSteps, Fraction};

/// What an AR step takes from earlier steps. Without `cached`, the step computes all of the transformer and keeps what
/// later steps take.
///
/// The field names are those of the JSON form in a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepReuse {
    /// Parts of the transformer that the step takes from earlier steps; absent if it computes all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<CachedParts>,
    /// Reuse between the evaluations of the diffusion head within the step; absent if every evaluation is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadReuse>,
}

/// Returns, for each AR step of [`crate::Plan::reuse`], whether the next step takes parts of the transformer from it.
pub(crate) fn kept(reuse: &[Option<StepReuse>]) -> impl Iterator<Item = bool> {
    let takes = reuse.iter().map(|reuse| reuse.is_some_and(|reuse| reuse.cached.is_some()));
    takes.skip(1).chain(std::iter::once(false))
}

/// Parts of the transformer that a step takes from earlier steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachedParts {
    /// The encoder computes only the buffer and the tokens of the step before; keys and values of all other known tokens
    /// are those of earlier steps.
    pub encoder: bool,
    /// The decoder computes only the tokens that have changed most; absent if it computes all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Pruning>,
    /// The unconditional half is not computed: its difference from the conditional half is that of the last complete step.
    pub guidance: bool,
}

/// Selection of the tokens that the decoder computes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pruning {
    /// Index of the block, from 0, after whose attention the tokens are selected. Earlier blocks compute all of them.
    pub block: u32,
    /// Fraction of the sequence, buffer included, that is kept.
    pub keep: Fraction,
    /// The number of kept tokens is at least that of this step and of the step before, plus this number.
    pub slack: u32,
}

impl Pruning {
    /// Returns the number of tokens that are kept of a sequence of `length`, if this step and the step before generate
    /// `required` tokens together. Fractions are rounded down.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Fraction, Pruning};
    /// let pruning = Pruning { block: 3, keep: Fraction::new(0.05)?, slack: 15 };
    /// assert_eq!(pruning.kept(320, 6), 21);
    /// assert_eq!(pruning.kept(1000, 6), 50);
    /// assert_eq!(pruning.kept(20, 6), 20);
    /// # Ok::<(), gtr_core::OutOfRange>(())
    /// ```
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "lengths are below 2^25"
    )]
    pub fn kept(&self, length: usize, required: usize) -> usize {
        let share = (self.keep.get() * length as f64).floor() as usize;
        share.max(required.saturating_add(self.slack as usize)).min(length)
    }
}

/// Reuse between the evaluations of the diffusion head within a step.
///
/// The index of an evaluation is the number of evaluations that follow it. A complete evaluation computes both halves of
/// guidance and keeps their difference and the increments of the blocks. The first evaluation is complete, and those whose
/// index is a multiple of `period`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadReuse {
    /// Number of evaluations from one complete evaluation to the next.
    pub period: DiffusionSteps,
    /// Fraction of the evaluations: while the index is above it, the blocks that are not skipped compute their MLPs.
    pub warm: Fraction,
}

/// Kind of an evaluation of the diffusion head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadPass {
    /// Computes everything.
    Complete,
    /// Computes the conditional half only, skips some blocks, and computes the MLPs of the others.
    Warm,
    /// Computes the conditional half only, skips some blocks, and reuses the MLPs of the others.
    Cached,
}

impl HeadReuse {
    /// Returns the kind of the evaluation with this index, of `evaluations`.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{DiffusionSteps, Fraction, HeadPass, HeadReuse};
    /// let reuse = HeadReuse { period: DiffusionSteps::new(7)?, warm: Fraction::new(0.9)? };
    /// let kinds = |kind| (0..100).filter(|&index| reuse.pass(index, 100) == kind).count();
    /// assert_eq!([HeadPass::Complete, HeadPass::Warm, HeadPass::Cached].map(kinds), [16, 6, 78]);
    /// # Ok::<(), gtr_core::OutOfRange>(())
    /// ```
    #[expect(clippy::cast_precision_loss, reason = "at most 1000 evaluations")]
    pub fn pass(&self, index: usize, evaluations: usize) -> HeadPass {
        if index + 1 == evaluations || index.is_multiple_of(self.period.get() as usize) {
            HeadPass::Complete
        } else if index as f64 > self.warm.get() * evaluations as f64 {
            HeadPass::Warm
        } else {
            HeadPass::Cached
        }
    }
}
