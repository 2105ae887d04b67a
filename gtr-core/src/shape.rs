//! The shape of a plan: the properties that curves over the AR steps can depend on.

use crate::{Fraction, Role};

/// The properties of an AR step that a curve can depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepShape {
    /// Index of the step's stage, from 0.
    pub stage: usize,
    /// Role of the step's stage.
    pub role: Role,
    /// Number of tokens that the step generates.
    pub tokens: usize,
}

/// The properties of a plan that a curve can depend on.
///
/// # Examples
/// ```
/// use gtr_core::{PlanShape, Role, StepShape};
/// let step = StepShape { stage: 0, role: Role::Generation, tokens: 4 };
/// let plan = PlanShape { tokens: 12, known: 4, steps: vec![step, step] };
/// assert_eq!(plan.unknown_before().collect::<Vec<_>>(), [8, 4]);
/// assert_eq!(plan.unknown_after().collect::<Vec<_>>(), [4, 0]);
/// assert_eq!(plan.fraction(3).get(), 0.25);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanShape {
    /// Number of tokens of the grid.
    pub tokens: usize,
    /// Number of tokens that are known before the first step.
    pub known: usize,
    /// The AR steps, in order.
    pub steps: Vec<StepShape>,
}

impl PlanShape {
    /// Returns, for each step, the number of tokens that are unknown before it.
    pub fn unknown_before(&self) -> impl Iterator<Item = usize> {
        self.unknown_after().zip(&self.steps).map(|(after, step)| after + step.tokens)
    }

    /// Returns, for each step, the number of tokens that are unknown after it.
    pub fn unknown_after(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().scan(self.tokens.saturating_sub(self.known), |unknown, step| {
            *unknown = unknown.saturating_sub(step.tokens);
            Some(*unknown)
        })
    }

    /// Returns `count` as a fraction of the tokens of the grid, at most 1.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^24 tokens")]
    pub fn fraction(&self, count: usize) -> Fraction {
        let fraction = count.min(self.tokens) as f64 / self.tokens.max(1) as f64;
        // Between 0 and 1, so the fallback is never used.
        Fraction::new(fraction).unwrap_or(Fraction::literal(1.0))
    }
}
