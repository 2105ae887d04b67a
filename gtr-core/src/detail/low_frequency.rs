//! Selection of the tokens with the lowest frequency scores.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TokenSelection;
use super::ranking::Ranking;
use crate::Component;

/// The opposite of `fts`, as a baseline: picks the fraction `beta` of the tokens with the lowest scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LowFrequency(pub TokenSelection);

impl Component for LowFrequency {
    const KIND: &'static str = "low-frequency";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 4.4, table 4 (Low-Freq.)";
}

impl Ranking for LowFrequency {
    fn selection(&self) -> &TokenSelection {
        &self.0
    }

    fn key(score: f64) -> f64 {
        score
    }
}
