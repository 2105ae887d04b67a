//! Selection of the tokens with the lowest frequency scores.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spectrum::scores;
use super::{Candidates, Detail, DetailShare, Part, first_by};
use crate::{Capability, Component};

/// The opposite of `fts`, as a baseline: picks the fraction `beta` of the tokens with the lowest scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LowFrequency(Part);

impl Component for LowFrequency {
    const KIND: &'static str = "low-frequency";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 4.4, table 4 (Low-Freq.)";

    #[cfg(any(test, feature = "testing"))]
    fn arbitrary() -> proptest::strategy::BoxedStrategy<Self> {
        proptest::prelude::Strategy::boxed(proptest::prelude::Strategy::prop_map(Part::arbitrary(), Self))
    }
}

impl Detail for LowFrequency {
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
        first_by(&candidates, count, |position| scores[position])
    }
}
