//! The same temperature in every step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cooling;
use crate::{Component, Fraction, PlanShape};

/// The temperature of the run in every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct None {}

impl Component for None {
    const KIND: &'static str = "none";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838)";
}

impl Cooling for None {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        vec![Option::None; plan.steps.len()]
    }
}
