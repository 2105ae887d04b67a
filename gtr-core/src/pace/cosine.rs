//! Cosine pace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::share::among_stages;
use super::{Pace, StageSizes};
use crate::{ArSteps, Component, Error, FitPolicy};

/// Step sizes that grow along a cosine: few tokens in the first steps, many in the last.
///
/// After step s of N (s = 0 to N - 1), floor(n cos(pi/2 (s+1)/N)) of n tokens remain masked. Each step generates at
/// least one token, and at least one token remains until the last step. Steps are divided among the stages in
/// proportion to their tokens; within each stage the sizes follow the cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// Total number of AR steps.
    pub steps: ArSteps,
}

impl Default for Cosine {
    fn default() -> Self {
        Self { steps: ArSteps::literal(64) }
    }
}

impl Component for Cosine {
    const KIND: &'static str = "cosine";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838), LTH14/mar sample_tokens";
}

impl Pace for Cosine {
    fn steps(&self, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        let shares = among_stages(self.steps, stages, fit)?;
        Ok(stages.stages.iter().zip(shares).map(|(stage, steps)| cosine(stage.tokens, steps)).collect())
    }
}

/// Returns the step sizes of a stage; `steps` is at most `tokens`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most 2^24 tokens"
)]
fn cosine(tokens: usize, steps: usize) -> Vec<usize> {
    let mut masked = tokens;
    (0..steps)
        .map(|step| {
            let angle = (std::f64::consts::FRAC_PI_2 * (step + 1) as f64) / steps as f64;
            let curve = (tokens as f64 * libm::cos(angle)).floor() as usize;
            let after = if step + 1 == steps { 0 } else { curve.min(masked - 1).max(1) };
            let size = masked - after;
            masked = after;
            size
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_steps_of_64_tokens_leave_59_45_24_and_none() {
        assert_eq!(cosine(64, 4), [5, 14, 21, 24]);
    }

    #[test]
    fn one_step_per_token_gives_one_token_each() {
        for tokens in 1..300 {
            assert_eq!(cosine(tokens, tokens), vec![1; tokens], "{tokens}");
        }
    }

    #[test]
    fn no_step_is_empty() {
        for tokens in 1..200 {
            for steps in 1..=tokens {
                let sizes = cosine(tokens, steps);
                assert!(sizes.iter().all(|&size| size > 0), "{tokens} in {steps}");
                assert_eq!(sizes.iter().sum::<usize>(), tokens);
            }
        }
    }
}
