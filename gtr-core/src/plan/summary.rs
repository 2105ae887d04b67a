//! A plan in numbers.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Plan, Step};
use crate::{DiffusionSteps, Role, Spread, Timesteps, TokenSet};

/// What a plan costs and how its stages are spread.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Tokens of the grid.
    pub tokens: usize,
    /// Those of them that are known before the first step.
    pub known: usize,
    /// AR steps: passes of encoder and decoder.
    pub ar_steps: usize,
    /// Evaluations of the diffusion head that follow one another: of each step the longest chain.
    pub head_evaluations: usize,
    /// Evaluations of the diffusion head summed over the tokens of an image.
    pub token_evaluations: usize,
    /// The stages.
    pub stages: Vec<StageSummary>,
}

impl Summary {
    /// Evaluations of a network that follow one another: AR steps and head evaluations.
    pub fn network_evaluations(&self) -> usize {
        self.ar_steps + self.head_evaluations
    }
}

/// A stage in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageSummary {
    /// What the stage is for.
    pub role: Role,
    /// Its tokens.
    pub tokens: usize,
    /// How they are spread over the grid.
    pub spread: Spread,
    /// Its AR steps.
    pub ar_steps: usize,
    /// Diffusion steps of its first AR step.
    pub first_diffusion_steps: DiffusionSteps,
    /// Diffusion steps of its last AR step.
    pub last_diffusion_steps: DiffusionSteps,
    /// How many of its tokens get detail, and with how many diffusion steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<DetailSummary>,
}

/// The detail of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DetailSummary {
    /// Tokens of the stage that get detail.
    pub tokens: usize,
    /// Their diffusion steps.
    pub diffusion_steps: DiffusionSteps,
}

impl Plan {
    /// How many evaluations of the head a token of `steps` diffusion steps costs under this plan's timestep limit.
    pub fn evaluations(&self, steps: DiffusionSteps) -> usize {
        // A plan holds only step counts that fit its limit.
        Timesteps::new(steps, self.limit).map_or(0, |timesteps| timesteps.evaluations())
    }

    /// Evaluations of the head that follow one another in an AR step: its longest chain.
    pub fn head_evaluations(&self, step: &Step) -> usize {
        let plain = self.evaluations(step.diffusion_steps);
        step.detail.map_or(plain, |it| {
            let detail = self.evaluations(it.diffusion_steps);
            if it.tokens == step.tokens { detail } else { plain.max(detail) }
        })
    }

    /// The plan in numbers.
    pub fn summary(&self) -> Summary {
        let (mut head_evaluations, mut token_evaluations) = (0, 0);
        for step in &self.steps {
            let plain = self.evaluations(step.diffusion_steps);
            let (picked, detail) =
                step.detail.map_or((0, plain), |it| (it.tokens, self.evaluations(it.diffusion_steps)));
            head_evaluations += self.head_evaluations(step);
            token_evaluations += (step.tokens - picked) * plain + picked * detail;
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
