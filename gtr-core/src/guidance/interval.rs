//! Guidance in an interval of the generation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GuidanceCurve;
use crate::{Component, Fraction, PlanShape};

/// The full scale while the fraction of known tokens is in an interval, and no guidance outside of it.
///
/// The fraction is that before the step. Steps outside of the interval skip the unconditional half, so they cost about
/// half as much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Interval {
    /// Fraction of known tokens from which steps are guided, 0 to 1.
    pub guided_from: Fraction,
    /// Fraction of known tokens from which steps are no longer guided, 0 to 1; greater than `guided_from`. With 1, all later
    /// steps are guided.
    pub guided_to: Fraction,
    /// Course of the strength inside the interval.
    pub inside: Inside,
}

/// Course of the strength inside the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Inside {
    /// The full scale.
    #[default]
    Constant,
    /// As the guidance `linear`.
    Linear,
}

impl Default for Interval {
    fn default() -> Self {
        Self { guided_from: Fraction::literal(0.1), guided_to: Fraction::literal(1.0), inside: Inside::default() }
    }
}

impl Component for Interval {
    const KIND: &'static str = "interval";
    const SOURCE: &'static str = "this project; the idea is that of Kynkäänniemi et al. (arXiv 2404.07724), here over the known \
                                  tokens instead of the noise level";

    fn check(&self) -> Result<(), String> {
        if self.guided_from < self.guided_to {
            Ok(())
        } else {
            Err(format!(
                "`guided_from` must be less than `guided_to`, found {} and {}",
                self.guided_from, self.guided_to
            ))
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let middle =
            Self { guided_from: Fraction::literal(0.25), guided_to: Fraction::literal(0.75), inside: Inside::Linear };
        vec![("default", Self::default()), ("middle", middle)]
    }
}

impl GuidanceCurve for Interval {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        let strength = |(before, after): (usize, usize)| {
            let known = plan.fraction(plan.tokens - before);
            let inside = known >= self.guided_from && known < self.guided_to;
            match self.inside {
                _ if !inside => Fraction::literal(0.0),
                Inside::Constant => Fraction::literal(1.0),
                Inside::Linear => plan.fraction(plan.tokens - after.max(1)),
            }
        };
        plan.unknown_before().zip(plan.unknown_after()).map(|step| Some(strength(step))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, StepShape};

    fn strengths(interval: &Interval) -> Vec<f64> {
        let step = StepShape { stage: 0, role: Role::Generation, tokens: 4 };
        let plan = PlanShape { tokens: 16, known: 0, steps: vec![step; 4] };
        interval.steps(&plan).into_iter().flatten().map(Fraction::get).collect()
    }

    #[test]
    fn steps_outside_of_the_interval_are_not_guided() {
        let [quarter, half] = [0.25, 0.5].map(Fraction::literal);
        assert_eq!(strengths(&Interval { guided_from: quarter, ..Interval::default() }), [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(
            strengths(&Interval { guided_from: quarter, guided_to: half, inside: Inside::Constant }),
            [0.0, 1.0, 0.0, 0.0]
        );
        let linear = Interval { guided_from: quarter, guided_to: Fraction::literal(1.0), inside: Inside::Linear };
        assert_eq!(strengths(&linear), [0.0, 0.5, 0.75, 15.0 / 16.0]);
        let everywhere = Interval { guided_from: Fraction::literal(0.0), ..Interval::default() };
        assert_eq!(strengths(&everywhere), [1.0; 4]);
    }

    #[test]
    fn an_empty_interval_is_refused() {
        let empty = Interval {
            guided_from: Fraction::literal(0.5),
            guided_to: Fraction::literal(0.5),
            inside: Inside::Constant,
        };
        assert_eq!(empty.check().unwrap_err(), "`guided_from` must be less than `guided_to`, found 0.5 and 0.5");
    }
}
