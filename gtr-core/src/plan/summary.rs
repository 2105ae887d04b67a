//! Summary of a plan.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Plan, Step};
use crate::{DiffusionSteps, Role, Spread, Timesteps, TokenSet};

/// Cost of a plan and the spread of its stages.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Number of tokens of the grid.
    pub tokens: usize,
    /// Number of tokens that are known before the first step.
    pub known: usize,
    /// Number of AR steps, that is, passes through encoder and decoder.
    pub ar_steps: usize,
    /// Number of sequential evaluations of the diffusion head: the sum over the AR steps of the longest chain.
    pub head_evaluations: usize,
    /// Number of evaluations of the diffusion head, summed over the tokens of an image. In ranked stages, a token counts in
    /// each step that draws it.
    pub token_evaluations: usize,
    /// Summaries of the stages.
    pub stages: Vec<StageSummary>,
}

impl Summary {
    /// Returns the number of sequential network evaluations: AR steps plus sequential head evaluations.
    pub fn network_evaluations(&self) -> usize {
        self.ar_steps + self.head_evaluations
    }
}

/// Summary of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageSummary {
    /// Role of the stage.
    pub role: Role,
    /// Number of tokens.
    pub tokens: usize,
    /// Spread of the tokens over the grid.
    pub spread: Spread,
    /// Number of AR steps.
    pub ar_steps: usize,
    /// Diffusion steps of the first AR step.
    pub first_diffusion_steps: DiffusionSteps,
    /// Diffusion steps of the last AR step.
    pub last_diffusion_steps: DiffusionSteps,
    /// Picked tokens of the stage and their diffusion steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<DetailSummary>,
}

/// Detail of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DetailSummary {
    /// Number of picked tokens in the stage.
    pub tokens: usize,
    /// Diffusion steps of each picked token.
    pub diffusion_steps: DiffusionSteps,
}

impl Plan {
    /// Returns the number of head evaluations of a token with `steps` diffusion steps under the timestep limit of the
    /// plan.
    pub fn evaluations(&self, steps: DiffusionSteps) -> usize {
        // A plan contains only step counts that its limit allows, so the default is never used.
        Timesteps::new(steps, self.limit).map_or(0, |timesteps| timesteps.evaluations())
    }

    /// Returns the number of sequential head evaluations in an AR step, the length of its longest chain.
    pub fn head_evaluations(&self, step: &Step) -> usize {
        let plain = self.evaluations(step.diffusion_steps);
        step.detail.map_or(plain, |it| {
            let detail = self.evaluations(it.diffusion_steps);
            if it.tokens == step.tokens { detail } else { plain.max(detail) }
        })
    }

    /// Returns the number of tokens that an AR step draws and that are not picked, and the number of those that are, each
    /// with the number of head evaluations of a token.
    pub fn token_evaluations(&self, step: &Step) -> [(usize, usize); 2] {
        let plain = self.evaluations(step.diffusion_steps);
        let picked = step.detail.map_or((0, 0), |it| (it.tokens, self.evaluations(it.diffusion_steps)));
        [(step.candidates - picked.0, plain), picked]
    }

    /// Returns the summary of the plan.
    pub fn summary(&self) -> Summary {
        let (mut head_evaluations, mut token_evaluations) = (0, 0);
        for step in &self.steps {
            head_evaluations += self.head_evaluations(step);
            let counts = self.token_evaluations(step).into_iter();
            token_evaluations += counts.map(|(tokens, evaluations)| tokens * evaluations).sum::<usize>();
        }
        Summary {
            tokens: self.grid.tokens(),
            known: self.known.len(),
            ar_steps: self.steps.len(),
            head_evaluations,
            token_evaluations,
            stages: (0..self.stages.len()).filter_map(|stage| self.stage_summary(stage)).collect(),
        }
    }

    fn stage_summary(&self, position: usize) -> Option<StageSummary> {
        let stage = &self.stages[position];
        let steps: Vec<_> = self.steps.iter().filter(|step| step.stage == position).collect();
        let (first, last) = (steps.first()?, steps.last()?);
        let details = steps.iter().filter_map(|step| step.detail);
        Some(StageSummary {
            role: stage.role,
            tokens: stage.tokens.len(),
            spread: Spread::of(&TokenSet::from_tokens(self.grid, stage.tokens.iter().copied())),
            ar_steps: steps.len(),
            first_diffusion_steps: first.diffusion_steps,
            last_diffusion_steps: last.diffusion_steps,
            detail: details
                .reduce(|sum, detail| crate::detail::DetailShare { tokens: sum.tokens + detail.tokens, ..detail })
                .map(|detail| DetailSummary { tokens: detail.tokens, diffusion_steps: detail.diffusion_steps }),
        })
    }
}
