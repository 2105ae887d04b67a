//! Frequency-weighted token selection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spectrum::scores;
use super::{Candidates, Detail, DetailShare, Part, first_by};
use crate::{Capability, Component};

/// Frequency-weighted token selection (FTS): picks the tokens whose conditioning vectors have the most high-frequency
/// energy.
///
/// In each reconstruction step, and for each image, the fraction `beta` of the tokens with the highest scores is
/// picked. Ties go to the lower token index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fts(Part);

impl Component for Fts {
    const KIND: &'static str = "fts";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 3.3, equation 5";

    #[cfg(any(test, feature = "testing"))]
    fn arbitrary() -> proptest::strategy::BoxedStrategy<Self> {
        proptest::prelude::Strategy::boxed(proptest::prelude::Strategy::prop_map(Part::arbitrary(), Self))
    }
}

impl Detail for Fts {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        self.0.share(tokens)
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::HostFeatures]
    }

    fn scores(&self, candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        Some(scores(candidates.features, candidates.width))
    }

    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize> {
        let scores = scores(candidates.features, candidates.width);
        first_by(&candidates, count, |position| -scores[position])
    }
}
