//! A temperature that changes linearly over the steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cooling;
use crate::{Component, Fraction, PlanShape};

/// The fraction changes linearly from the first AR step to the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// Fraction of the temperature in the first step, 0 to 1.
    pub cooling_start: Fraction,
    /// Fraction of the temperature in the last step, 0 to 1. A plan of one step uses `cooling_start`.
    pub cooling_end: Fraction,
}

impl Default for Linear {
    fn default() -> Self {
        Self { cooling_start: Fraction::literal(1.0), cooling_end: Fraction::literal(0.0) }
    }
}

impl Component for Linear {
    const KIND: &'static str = "linear";
    const SOURCE: &'static str = "this project; the idea is that of MaskGIT (arXiv 2202.04200), which anneals the noise of its \
                                  confidences";

    fn examples() -> Vec<(&'static str, Self)> {
        let slight = Self { cooling_end: Fraction::literal(0.8), ..Self::default() };
        vec![("default", Self::default()), ("slight", slight)]
    }
}

impl Cooling for Linear {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^24 steps")]
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        let (start, end) = (self.cooling_start.get(), self.cooling_end.get());
        let last = plan.steps.len().saturating_sub(1).max(1) as f64;
        let fraction = |step: usize| {
            let position = step as f64 / last;
            // Between the two fractions up to rounding, so the fallback is never used.
            Fraction::new((start + (end - start) * position).clamp(0.0, 1.0)).unwrap_or(self.cooling_start)
        };
        (0..plan.steps.len()).map(|step| Some(fraction(step))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, StepShape};

    fn fractions(rule: &Linear, steps: usize) -> Vec<f64> {
        let step = StepShape { stage: 0, role: Role::Generation, tokens: 4 };
        let plan = PlanShape { tokens: 4 * steps, known: 0, steps: vec![step; steps] };
        rule.steps(&plan).into_iter().flatten().map(Fraction::get).collect()
    }

    #[test]
    fn both_ends_are_reached() {
        assert_eq!(fractions(&Linear::default(), 5), [1.0, 0.75, 0.5, 0.25, 0.0]);
        let [low, high] = [0.25, 0.75].map(Fraction::literal);
        assert_eq!(fractions(&Linear { cooling_start: low, cooling_end: high }, 3), [0.25, 0.5, 0.75]);
        assert_eq!(fractions(&Linear { cooling_start: high, cooling_end: low }, 1), [0.75]);
    }
}
