//! No reuse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reuse;
use crate::{Component, PlanShape, StepReuse};

/// Every step computes everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct None {}

impl Component for None {
    const KIND: &'static str = "none";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838)";
}

impl Reuse for None {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<StepReuse>> {
        vec![Option::None; plan.steps.len()]
    }
}
