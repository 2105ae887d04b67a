//! Guidance that rises along a cosine of the known tokens.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::GuidanceCurve;
use crate::{Component, Fraction, PlanShape};

/// Strength (1 - cos(pi k^power)) / 2, where k is the fraction of tokens that are known after the step.
///
/// A power above 1 keeps the early steps close to unguided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// Power of the fraction of known tokens, above 0 and at most 100.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100))]
    pub power: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Self { power: 1.0 }
    }
}

impl Component for Cosine {
    const KIND: &'static str = "cosine";
    const SOURCE: &'static str = "this project; the shape of the power-cosine schedule of MDT (arXiv 2303.14389)";

    fn check(&self) -> Result<(), String> {
        if self.power > 0.0 && self.power <= 100.0 {
            Ok(())
        } else {
            Err(format!("`power` must be above 0 and at most 100, not {}", self.power))
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        vec![("default", Self::default()), ("late", Self { power: 2.0 })]
    }
}

impl GuidanceCurve for Cosine {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
        let strength = |unknown: usize| {
            let known = plan.fraction(plan.tokens - unknown).get();
            let strength = (1.0 - libm::cos(PI * libm::pow(known, self.power))) / 2.0;
            // Between 0 and 1 up to rounding, so the fallback is never used.
            Fraction::new(strength.clamp(0.0, 1.0)).unwrap_or(Fraction::literal(1.0))
        };
        plan.unknown_after().map(|unknown| Some(strength(unknown))).collect()
    }
}
