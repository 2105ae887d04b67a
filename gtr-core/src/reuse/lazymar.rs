//! `LazyMAR`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reuse;
use crate::{ArSteps, CachedParts, Component, DiffusionSteps, Fraction, HeadReuse, PlanShape, Pruning, StepReuse};

/// LazyMAR: between complete steps, the transformer computes only what has changed most.
///
/// The first `complete_steps` steps are complete, then one step in `refresh_period`, beginning with step
/// `complete_steps`. The other steps take parts of their result from earlier ones. Each part can be switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LazyMar {
    /// Number of complete steps at the start.
    pub complete_steps: u32,
    /// Number of steps from one complete step to the next.
    pub refresh_period: ArSteps,
    /// Whether the encoder keeps keys and values of known tokens.
    pub reuse_encoder: bool,
    /// Fraction of the decoder's sequence that is computed in each step.
    pub decoder_keep: Keep,
    /// Index of the decoder block, from 0, after whose attention the tokens are selected.
    pub decoder_block: u32,
    /// Number of tokens that are kept beside those of this step and of the step before.
    pub decoder_slack: u32,
    /// Whether the unconditional half is approximated by its last difference from the conditional half.
    pub reuse_guidance: bool,
    /// Whether evaluations of the diffusion head reuse results of earlier evaluations within the step.
    pub reuse_head: bool,
    /// Number of evaluations of the head from one complete evaluation to the next.
    pub head_period: DiffusionSteps,
    /// Fraction of the evaluations that is left when the head begins to reuse MLPs.
    pub head_warm: Fraction,
}

/// Fraction of the decoder's sequence that a step computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// All of it.
    All,
    /// The published table, indexed by the AR step. It begins to fall at step 20 and ends at 0.05 from step 40 on.
    #[default]
    Published,
    /// The published table, stretched from 64 steps to the number of AR steps.
    Stretched,
}

impl Default for LazyMar {
    fn default() -> Self {
        Self {
            complete_steps: 5,
            refresh_period: ArSteps::literal(9),
            reuse_encoder: true,
            decoder_keep: Keep::default(),
            decoder_block: 3,
            decoder_slack: 15,
            reuse_guidance: true,
            reuse_head: true,
            head_period: DiffusionSteps::literal(7),
            head_warm: Fraction::literal(0.9),
        }
    }
}

impl Component for LazyMar {
    const KIND: &'static str = "lazymar";
    const SOURCE: &'static str = "LazyMAR (arXiv 2503.12450) as its published code computes it; `stretched` is ours";

    fn examples() -> Vec<(&'static str, Self)> {
        let short = Self {
            complete_steps: 2,
            refresh_period: ArSteps::literal(4),
            decoder_keep: Keep::Stretched,
            ..Self::default()
        };
        let encoder = Self { decoder_keep: Keep::All, reuse_guidance: false, reuse_head: false, ..Self::default() };
        vec![("default", Self::default()), ("short", short), ("encoder", encoder)]
    }
}

/// The published table: the first steps to which a fraction no longer applies.
const TABLE: [(usize, f64); 7] =
    [(20, 1.0), (21, 0.6), (25, 0.5), (30, 0.4), (35, 0.15), (40, 0.12), (usize::MAX, 0.05)];

/// Number of AR steps for which the table was published.
const TABLE_STEPS: usize = 64;

impl LazyMar {
    fn pruning(&self, step: usize, steps: usize) -> Option<Pruning> {
        let position = match self.decoder_keep {
            Keep::All => return None,
            Keep::Published => step,
            Keep::Stretched => step * TABLE_STEPS / steps,
        };
        let (_, keep) = TABLE.into_iter().find(|(end, _)| position < *end)?;
        Some(Pruning { block: self.decoder_block, keep: Fraction::literal(keep), slack: self.decoder_slack })
    }

    fn is_complete(&self, step: usize) -> bool {
        let start = self.complete_steps as usize;
        step < start || (step - start).is_multiple_of(self.refresh_period.get())
    }
}

impl Reuse for LazyMar {
    fn steps(&self, plan: &PlanShape) -> Vec<Option<StepReuse>> {
        let steps = plan.steps.len();
        let head = self.reuse_head.then_some(HeadReuse { period: self.head_period, warm: self.head_warm });
        let step = |step: usize| {
            let decoder = self.pruning(step, steps);
            let parts = CachedParts { encoder: self.reuse_encoder, decoder, guidance: self.reuse_guidance };
            let caches = self.reuse_encoder || self.decoder_keep != Keep::All || self.reuse_guidance;
            let reuse = StepReuse { cached: (caches && !self.is_complete(step)).then_some(parts), head };
            (caches || self.reuse_head).then_some(reuse)
        };
        (0..steps).map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, StepShape};

    fn steps(rule: &LazyMar, steps: usize) -> Vec<StepReuse> {
        let step = StepShape { stage: 0, role: Role::Generation, tokens: 4 };
        let plan = PlanShape { tokens: 4 * steps, known: 0, steps: vec![step; steps] };
        rule.steps(&plan).into_iter().flatten().collect()
    }

    #[test]
    fn twelve_of_64_steps_are_complete() {
        let steps = steps(&LazyMar::default(), 64);
        let complete: Vec<usize> = (0..64).filter(|&step| steps[step].cached.is_none()).collect();
        assert_eq!(complete, [0, 1, 2, 3, 4, 5, 14, 23, 32, 41, 50, 59]);
        let keep = |step: usize| steps[step].cached.unwrap().decoder.unwrap().keep.get();
        assert_eq!(
            [19, 20, 21, 24, 25, 29, 30, 35, 39, 40, 63].map(keep),
            [1.0, 0.6, 0.5, 0.5, 0.4, 0.4, 0.15, 0.12, 0.12, 0.05, 0.05]
        );
    }

    #[test]
    fn without_its_parts_nothing_is_reused() {
        let off = LazyMar {
            reuse_encoder: false,
            decoder_keep: Keep::All,
            reuse_guidance: false,
            reuse_head: false,
            ..LazyMar::default()
        };
        assert_eq!(steps(&off, 64), []);
    }
}
