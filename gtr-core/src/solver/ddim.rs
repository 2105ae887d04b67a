//! Denoising diffusion implicit models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LinearUpdate, NoiseLevel, Solver, Update};
use crate::{Component, Fraction};

/// DDIM: first-order steps, deterministic with `eta` 0.
///
/// On a flow-matching head, `eta` 0 is the Euler method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ddim {
    /// Noise added in each step as a fraction of that of ancestral sampling: 0 for none, 1 for ancestral sampling with the
    /// variance of the posterior.
    pub eta: Fraction,
}

impl Default for Ddim {
    fn default() -> Self {
        Self { eta: Fraction::literal(0.0) }
    }
}

impl Component for Ddim {
    const KIND: &'static str = "ddim";
    const SOURCE: &'static str = "DDIM (arXiv 2010.02502), equations 12 and 16";

    fn examples() -> Vec<(&'static str, Self)> {
        vec![("default", Self::default()), ("stochastic", Self { eta: Fraction::literal(1.0) })]
    }
}

impl Solver for Ddim {
    fn update(&self, levels: &[NoiseLevel], evaluation: usize) -> Update {
        let (now, next) = (levels[evaluation], levels[evaluation + 1]);
        // Ratio of noise to signal after the step and before it, at most 1.
        let ratio = next.noise / next.signal * now.signal / now.noise;
        let noise = self.eta.get() * next.noise * (1.0 - ratio.powi(2)).max(0.0).sqrt();
        let direction = (next.noise.powi(2) - noise.powi(2)).max(0.0).sqrt();
        let x = direction / now.noise;
        Update::Linear(LinearUpdate { x, x0: next.signal - now.signal * x, previous_x0: 0.0, noise })
    }

    fn adds_noise(&self) -> bool {
        self.eta.get() > 0.0
    }
}
