//! Diffusion-step annealing.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Diffusion, StepShape, check_ends};
use crate::{Component, DiffusionSteps, Timestep, TimestepLimit};

/// Diffusion step annealing (DiSA): the number of diffusion steps decreases over the AR steps.
///
/// Fractions are truncated, as in the reference implementation. A single AR step gets `t_max`, where the reference
/// divides by zero. Timesteps are clipped at 950 unless the schedule or the model sets a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Disa {
    /// Shape of the decrease: `linear`, `cosine`, `two-stage` or `constant` (`t_min` throughout).
    pub strategy: Annealing,
    /// Diffusion steps of the first AR step.
    pub t_max: DiffusionSteps,
    /// Diffusion steps of the last AR step; at most `t_max`.
    pub t_min: DiffusionSteps,
}

/// Shape of the decrease of the diffusion steps over the AR steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Annealing {
    /// Linear from `t_max` to `t_min`.
    #[default]
    Linear,
    /// Half a cosine wave from `t_max` to `t_min`.
    Cosine,
    /// `t_max` in the first half, `t_min` in the second.
    TwoStage,
    /// `t_min` throughout.
    Constant,
}

impl Default for Disa {
    fn default() -> Self {
        let [t_max, t_min] = [50, 5].map(DiffusionSteps::literal);
        Self { strategy: Annealing::Linear, t_max, t_min }
    }
}

impl Component for Disa {
    const KIND: &'static str = "disa";
    const SOURCE: &'static str = "DiSA (arXiv 2505.20297), MAR_DiSA/models/diffloss.py";

    fn check(&self) -> Result<(), String> {
        check_ends(self.t_max, self.t_min)
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let strategy = |strategy| Self { strategy, ..Self::default() };
        vec![
            ("default", Self::default()),
            ("cosine", strategy(Annealing::Cosine)),
            ("two_stage", strategy(Annealing::TwoStage)),
            ("constant", strategy(Annealing::Constant)),
        ]
    }
}

impl Diffusion for Disa {
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps> {
        (0..steps.len()).map(|step| self.at(step, steps.len())).collect()
    }

    fn limit(&self) -> TimestepLimit {
        TimestepLimit::Clip(Timestep::literal(950))
    }
}

impl Disa {
    /// Returns the diffusion steps of AR step `step` of `steps`, with the order of operations of the reference.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between t_min and t_max"
    )]
    fn at(&self, step: usize, steps: usize) -> DiffusionSteps {
        let range = f64::from(self.t_max.get() - self.t_min.get());
        let (step, last) = (step as f64, (steps - 1) as f64);
        let above = match self.strategy {
            Annealing::Constant => 0.0,
            _ if steps == 1 => range,
            Annealing::Linear => (last - step) / last * range,
            Annealing::Cosine => f64::midpoint(libm::cos(PI * step / last), 1.0) * range,
            Annealing::TwoStage if step < last / 2.0 => range,
            Annealing::TwoStage => 0.0,
        };
        // Between two valid values, so the fallback is never used.
        DiffusionSteps::new(self.t_min.get() + above.trunc() as u32).unwrap_or(self.t_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    #[test]
    fn a_single_step_gets_t_max() {
        let step = StepShape { stage: 0, role: Role::Generation, tokens: 1 };
        assert_eq!(Disa::default().curve(&[step]), [DiffusionSteps::literal(50)]);
        assert_eq!(Disa::default().curve(&[]), []);
    }
}
