//! Constant guidance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GuidanceCurve;
use crate::{Component, Fraction, PlanShape};

/// The full scale in every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {}

impl Component for Constant {
    const KIND: &'static str = "constant";
    const SOURCE: &'static str = "LTH14/mar, cfg_schedule `constant`";
}

impl GuidanceCurve for Constant {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        vec![Some(Fraction::literal(1.0)); plan.steps.len()]
    }
}
