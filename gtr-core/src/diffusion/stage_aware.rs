//! Stage-aware diffusion steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Diffusion, StepShape, check_ends};
use crate::{Component, DiffusionSteps, Role};

/// Diffusion steps that decrease linearly over the generation steps, with a separate number for the reconstruction.
///
/// Generation step g of G (g = 0 to G - 1) gets round(T_max - (T_max - T_min) g / (G - 1)). A single generation step
/// gets T_max.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::doc_markdown, reason = "symbols of a formula, which the command line also prints")]
pub struct StageAware {
    /// Diffusion steps of the first generation step.
    pub t_max: DiffusionSteps,
    /// Diffusion steps of the last generation step; at most `t_max`.
    pub t_min: DiffusionSteps,
    /// Diffusion steps of the reconstruction steps.
    pub t_rec: DiffusionSteps,
}

impl Default for StageAware {
    fn default() -> Self {
        let [t_max, t_min, t_rec] = [50, 20, 20].map(DiffusionSteps::literal);
        Self { t_max, t_min, t_rec }
    }
}

impl Component for StageAware {
    const KIND: &'static str = "stage-aware";
    const SOURCE: &'static str =
        "GtR (arXiv 2510.17171), section 3.2; the dependence on the AR step and the rounding are ours";

    fn check(&self) -> Result<(), String> {
        check_ends(self.t_max, self.t_min)
    }
}

impl Diffusion for StageAware {
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps> {
        let generation = steps.iter().filter(|step| step.role == Role::Generation).count();
        let mut done = 0;
        steps
            .iter()
            .map(|step| match step.role {
                Role::Generation => {
                    done += 1;
                    self.at(done - 1, generation)
                }
                Role::Reconstruction => self.t_rec,
            })
            .collect()
    }
}

impl StageAware {
    /// Returns the diffusion steps of generation step `step` of `steps`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between t_min and t_max"
    )]
    fn at(&self, step: usize, steps: usize) -> DiffusionSteps {
        let (max, min) = (f64::from(self.t_max.get()), f64::from(self.t_min.get()));
        let fallen = if steps > 1 { (max - min) * step as f64 / (steps - 1) as f64 } else { 0.0 };
        // Between two valid values, so the fallback is never used.
        DiffusionSteps::new((max - fallen).round() as u32).unwrap_or(self.t_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(generation: usize, reconstruction: usize) -> Vec<u32> {
        let shape = |role| StepShape { stage: 0, role, tokens: 1 };
        let mut steps = vec![shape(Role::Generation); generation];
        steps.extend(vec![shape(Role::Reconstruction); reconstruction]);
        StageAware::default().curve(&steps).into_iter().map(DiffusionSteps::get).collect()
    }

    #[test]
    fn falls_from_t_max_to_t_min_then_t_rec() {
        assert_eq!(curve(4, 2), [50, 40, 30, 20, 20, 20]);
        assert_eq!(curve(1, 1), [50, 20]);
        assert_eq!(curve(2, 0), [50, 20]);
        assert_eq!(curve(0, 1), [20]);
    }

    #[test]
    fn halves_round_away_from_zero() {
        // 50 - 30 * 1/4 = 42.5
        assert_eq!(curve(5, 0), [50, 43, 35, 28, 20]);
    }
}
