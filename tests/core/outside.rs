//! A pace and a detail rule from outside the crate, made of its public functions.

use gtr_core::detail::{Candidates, DetailShare, TokenSelection, first_by};
use gtr_core::pace::{StageSizes, among_stages, even};
use gtr_core::sampler::{Job, Settings};
use gtr_core::{
    ArSteps, AxisConfig, AxisName, Capability, Component, Detail, Error, FitPolicy, Grid, Guidance, ImageIndex, Pace,
    Registry, Schedule, Seed, laws, preset,
};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::toy::Toy;

/// A total number of steps, half of which generate the first quarter of each stage.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Late {
    /// Total number of AR steps.
    steps: ArSteps,
}

impl Default for Late {
    fn default() -> Self {
        Self { steps: ArSteps::new(12).unwrap() }
    }
}

impl Component for Late {
    const KIND: &'static str = "late";
    const SOURCE: &'static str = "tests/core/outside.rs";
}

impl Pace for Late {
    fn steps(&self, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        let shares = among_stages(self.steps, stages, fit)?;
        let halves = stages.stages.iter().zip(shares).map(|(stage, steps)| {
            let (early, tokens) = (steps / 2, stage.tokens);
            // Both parts have a token for each of their steps.
            let first = if early == 0 { 0 } else { (tokens / 4).clamp(early, tokens - (steps - early)) };
            [even(first, early), even(tokens - first, steps - early)].concat()
        });
        Ok(halves.collect())
    }
}

/// Picks the tokens whose conditioning vectors vary most.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Variance(TokenSelection);

impl Component for Variance {
    const KIND: &'static str = "variance";
    const SOURCE: &'static str = "tests/core/outside.rs";
}

fn variance(vector: &[f32]) -> f64 {
    let values = || vector.iter().copied().map(f64::from);
    let mean = values().sum::<f64>() / vector.len() as f64;
    values().map(|value| (value - mean).powi(2)).sum()
}

impl Detail for Variance {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        self.0.share(tokens)
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::HostFeatures]
    }

    fn scores(&self, candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        Some(candidates.features.chunks(candidates.width).map(variance).collect())
    }

    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize> {
        let scores = self.scores(&candidates).unwrap();
        first_by(&candidates, count, |position| -scores[position])
    }
}

fn registry() -> Registry {
    Registry::builtin().with_pace::<Late>().with_detail::<Variance>()
}

fn schedule() -> Schedule {
    let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
    schedule.adapt = AxisName::ALL.to_vec();
    schedule.set_axis(AxisName::Pace, AxisConfig::new("late").with("steps", 16));
    schedule.set_axis(AxisName::Detail, AxisConfig::new("variance").with("beta", 0.25));
    schedule
}

proptest! {
    #[test]
    fn they_obey_the_laws(
        stages in prop::collection::vec(0..200usize, 1..5),
        steps in 1..60u32,
        features in prop::collection::vec(-3.0..3.0f32, 30 * 4),
        seed: u64,
    ) {
        prop_assume!(stages.iter().sum::<usize>() > 0);
        laws::pace(&Late { steps: ArSteps::new(steps).unwrap() }, &stages)?;
        let tokens: Vec<_> = Grid::new(6, 5).unwrap().iter().collect();
        laws::detail(&Variance::default(), &tokens, &features, 4, Seed(seed))?;
    }

    #[test]
    fn they_give_valid_plans(grid in laws::grids(), seed: u64) {
        let plan = schedule().plan(grid, &registry()).unwrap().plan;
        laws::plan(&plan, &registry(), Seed(seed))?;
    }
}

#[test]
fn they_are_documented() {
    let registry = registry();
    laws::is_documented(registry.paces().last().unwrap()).unwrap();
    laws::is_documented(registry.details().last().unwrap()).unwrap();
}

#[test]
fn a_model_samples_their_plan() {
    let (registry, grid) = (registry(), Grid::new(8, 8).unwrap());
    let plan = schedule().plan(grid, &registry).unwrap().plan;
    // 64 tokens in stages of 16, 16 and 32.
    let steps: Vec<usize> = plan.steps().iter().map(gtr_core::Step::tokens).collect();
    assert_eq!(steps, [2, 2, 6, 6, 2, 2, 6, 6, 2, 2, 2, 2, 6, 6, 6, 6]);
    assert_eq!(plan.steps().last().unwrap().detail().map(|detail| detail.tokens), Some(2));
    let settings = Settings { seed: Seed(1), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [0, 7].map(|image| Job::new(0.5, ImageIndex(image)));
    laws::generator(&mut Toy::new(grid), &plan, &registry, &jobs, &settings).unwrap();
}
