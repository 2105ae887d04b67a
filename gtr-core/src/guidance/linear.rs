//! Guidance that rises linearly with the known tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GuidanceCurve;
use crate::{Component, Fraction, PlanShape};

/// Strength (n - m) / n, where n is the number of tokens of the grid and m the number that is unknown after the step, at
/// least 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {}

impl Component for Linear {
    const KIND: &'static str = "linear";
    const SOURCE: &'static str = "LTH14/mar, cfg_schedule `linear`";
}

impl GuidanceCurve for Linear {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        plan.unknown_after().map(|unknown| Some(plan.fraction(plan.tokens - unknown.max(1)))).collect()
    }
}
