//! Frequency-weighted token selection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TokenSelection;
use super::ranking::Ranking;
use crate::Component;

/// Frequency-weighted token selection (FTS): picks the tokens whose conditioning vectors have the most high-frequency
/// energy.
///
/// In each reconstruction step, and for each image, the fraction `beta` of the tokens with the highest scores is
/// picked. Ties go to the lower token index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fts(pub TokenSelection);

impl Component for Fts {
    const KIND: &'static str = "fts";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 3.3, equation 5";
}

impl Ranking for Fts {
    fn selection(&self) -> &TokenSelection {
        &self.0
    }

    fn key(score: f64) -> f64 {
        -score
    }
}
