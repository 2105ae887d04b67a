//! No selection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Candidates, Detail, DetailShare};
use crate::Component;

/// No token gets extra diffusion steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct None {}

impl Component for None {
    const KIND: &'static str = "none";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838); GtR (arXiv 2510.17171), table 3, rows without FTS";
}

impl Detail for None {
    fn share(&self, _tokens: usize) -> Option<DetailShare> {
        Option::None
    }

    fn picks(&self) -> bool {
        false
    }

    fn pick(&self, _candidates: Candidates<'_>, _count: usize) -> Vec<usize> {
        Vec::new()
    }
}
