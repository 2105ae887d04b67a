//! Comparison with orders, step counts, timesteps and scores recorded from the published implementations.

use std::collections::BTreeMap;

use gtr_core::diffusion::StepShape;
use gtr_core::{AxisConfig, DiffusionSteps, Grid, Registry, Role, Spectrum, Timestep, TimestepLimit, Timesteps};
use serde::Deserialize;

fn golden<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_halton_order_equals_the_recording() {
    #[derive(Deserialize)]
    struct Recorded {
        grids: BTreeMap<u32, Vec<usize>>,
    }
    let recorded: Recorded = golden(include_str!("../golden/halton.json"));
    assert_eq!(recorded.grids.len(), 2);
    for (side, expected) in recorded.grids {
        let order = Registry::builtin().build_order(&AxisConfig::new("halton")).unwrap();
        let partition = order.partition(Grid::new(side, side).unwrap()).unwrap();
        let found: Vec<usize> = partition.subsets()[0].iter().map(|token| token.index()).collect();
        assert_eq!(found, expected, "{side}x{side}");
    }
}

#[derive(Deserialize)]
struct Disa {
    runs: Vec<Run>,
    timestep_map_clip950: BTreeMap<String, Vec<u32>>,
}

#[derive(Deserialize)]
struct Run {
    diff_upper_steps: u32,
    diff_lower_steps: u32,
    strategy: String,
    num_iter: usize,
    nominal_steps: Vec<u32>,
    actual_steps: Vec<usize>,
}

#[test]
fn annealed_step_counts_equal_the_recording() {
    let recorded: Disa = golden(include_str!("../golden/disa.json"));
    assert_eq!(recorded.runs.len(), 24);
    let clip = TimestepLimit::Clip(Timestep::new(950).unwrap());
    for run in recorded.runs {
        let config = AxisConfig::new("disa")
            .with("strategy", run.strategy.as_str())
            .with("t_max", run.diff_upper_steps)
            .with("t_min", run.diff_lower_steps);
        let curve = Registry::builtin().build_diffusion(&config).unwrap();
        assert_eq!(curve.limit(), clip);
        let steps = vec![StepShape { stage: 0, role: Role::Generation, tokens: 1 }; run.num_iter];
        let curve = curve.curve(&steps);
        let nominal: Vec<u32> = curve.iter().map(|steps| steps.get()).collect();
        assert_eq!(nominal, run.nominal_steps, "{} over {}", run.strategy, run.num_iter);
        let actual: Vec<usize> =
            curve.iter().map(|&steps| Timesteps::new(steps, clip).unwrap().evaluations()).collect();
        assert_eq!(actual, run.actual_steps, "{} over {}", run.strategy, run.num_iter);
    }
}

#[test]
fn clipped_timesteps_equal_the_recording() {
    let recorded: Disa = golden(include_str!("../golden/disa.json"));
    assert!(!recorded.timestep_map_clip950.is_empty());
    let clip = TimestepLimit::Clip(Timestep::new(950).unwrap());
    for (steps, expected) in recorded.timestep_map_clip950 {
        let found = Timesteps::new(DiffusionSteps::new(steps.parse().unwrap()).unwrap(), clip).unwrap();
        assert_eq!(found.values(), expected, "{steps} steps");
    }
}

#[test]
fn scores_equal_the_recording() {
    #[derive(Deserialize)]
    struct Recorded {
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    #[expect(non_snake_case, reason = "as recorded")]
    struct Case {
        D: usize,
        x: Vec<f64>,
        score: f64,
    }
    let recorded: Recorded = golden(include_str!("../golden/fts.json"));
    assert_eq!(recorded.cases.len(), 6);
    for case in recorded.cases {
        #[expect(clippy::cast_possible_truncation, reason = "conditioning vectors are f32")]
        let vector: Vec<f32> = case.x.iter().map(|&value| value as f32).collect();
        let score = Spectrum::new(case.D).score(&vector);
        // The recorded vectors are f64 and are rounded to f32 here.
        assert!((score - case.score).abs() <= 1e-6 * case.score, "D = {}: {score} and {}", case.D, case.score);
    }
}
