//! The guidance that a model is published with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GuidanceCurve;
use crate::{Component, Fraction, PlanShape};

/// The course that the model is published with: linear for MAR, constant for LightGen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {}

impl Component for Model {
    const KIND: &'static str = "model";
    const SOURCE: &'static str = "the published code of each model";
}

impl GuidanceCurve for Model {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        vec![None; plan.steps.len()]
    }
}
