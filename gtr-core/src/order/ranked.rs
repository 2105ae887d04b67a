//! Order by confidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Order, StageOrder};
use crate::{Component, Error, Grid, Partition};

/// The tokens that the model is most confident of, decided while sampling.
///
/// In each AR step, the model draws all unknown tokens. The sampling loop keeps those with the highest confidence plus
/// noise, as many as the step has. The other tokens are drawn again in a later step. The head therefore evaluates more
/// tokens than it generates, and the model must provide confidences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ranked {
    /// Factor of the Gumbel noise that is added to the confidence, 0 to 100. It falls linearly to 0 in
    /// the last AR step. With 0, no noise is added.
    #[schemars(extend("minimum" = 0, "maximum" = 100))]
    pub choice_temperature: f64,
}

impl Default for Ranked {
    fn default() -> Self {
        Self { choice_temperature: 4.5 }
    }
}

impl Component for Ranked {
    const KIND: &'static str = "ranked";
    const SOURCE: &'static str = "MaskGIT (arXiv 2202.04200), section 3.2; the default is that of its published code";

    fn check(&self) -> Result<(), String> {
        if (0.0..=100.0).contains(&self.choice_temperature) {
            Ok(())
        } else {
            Err(format!("`choice_temperature` must be 0 to 100, not {}", self.choice_temperature))
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        vec![("default", Self::default()), ("greedy", Self { choice_temperature: 0.0 })]
    }
}

impl Order for Ranked {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        Partition::whole(grid, grid.iter().collect())
    }

    fn within(&self) -> StageOrder {
        StageOrder::Ranked
    }

    fn choice_temperature(&self) -> f64 {
        self.choice_temperature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_out_of_range_is_refused() {
        for wrong in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            let error = Ranked { choice_temperature: wrong }.check().unwrap_err();
            assert_eq!(error, format!("`choice_temperature` must be 0 to 100, not {wrong}"));
        }
        for (_, example) in Ranked::examples() {
            assert_eq!(example.check(), Ok(()));
        }
    }
}
