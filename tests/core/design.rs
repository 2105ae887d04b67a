//! The search for schedules with a low loss.

use gtr_core::design::{Design, Goal, Problem, free, structured};
use gtr_core::loss::{Field, Measured, mean_loss};
use gtr_core::{ArSteps, AxisConfig, Error, Grid, Plan, Registry, preset};

fn grid(height: u32, width: u32) -> Grid {
    Grid::new(height, width).unwrap()
}

fn steps(steps: u32) -> Goal {
    Goal::ArSteps(ArSteps::new(steps).unwrap())
}

/// Returns a problem on the default field with few images.
fn problem(height: u32, width: u32) -> Problem {
    Problem { images: 4, ..Problem::new(grid(height, width), Field::default()) }
}

fn plan(problem: &Problem, design: &Design) -> Plan {
    design.schedule.plan(problem.grid, &Registry::builtin()).unwrap().plan
}

#[test]
fn designs_lose_less_than_cascades_of_random_order() {
    // Losses of quincunx levels in random order: 0.39 nats in 8 steps, 0.17 in 16; 1.41 in 10 steps on 32x32.
    for (side, ar_steps, bound) in [(16, 8, 0.394), (16, 16, 0.168), (32, 10, 1.41)] {
        let problem = Problem { images: 2, ..problem(side, side) };
        let design = structured(&problem, steps(ar_steps)).unwrap();
        assert!(design.loss.mean.total <= bound, "{side}: {}", design.loss.mean.total);
        assert_eq!(design.ar_steps.get(), ar_steps as usize);
        assert_eq!(plan(&problem, &design).steps().len(), ar_steps as usize);
        assert_eq!(design.field, "exponential:2:0.01");
    }
}

#[test]
fn the_cascades_are_results_of_a_design() {
    for (name, ar_steps) in [("cascade-6", 6), ("cascade-8", 8), ("cascade-12", 12), ("cascade-16", 16)] {
        let preset = preset::find(name).unwrap();
        let design = structured(&problem(16, 16), steps(ar_steps)).unwrap();
        assert_eq!(
            (&preset.schedule.order, &preset.schedule.pace),
            (&design.schedule.order, &design.schedule.pace),
            "{name}"
        );
    }
    let preset = preset::find("cascade-lightgen-10").unwrap();
    let design = structured(&Problem { images: 2, ..problem(32, 32) }, steps(10)).unwrap();
    assert_eq!((&preset.schedule.order, &preset.schedule.pace), (&design.schedule.order, &design.schedule.pace));
}

#[test]
fn the_best_of_all_step_allocations_of_a_small_grid_is_found() {
    let problem = problem(4, 6);
    let design = structured(&problem, steps(6)).unwrap();
    let mut tried = 0;
    for cut in ["diagonal", "quincunx"] {
        for sharing in
            [[1, 1, 4], [1, 2, 3], [1, 3, 2], [1, 4, 1], [2, 1, 3], [2, 2, 2], [2, 3, 1], [3, 1, 2], [4, 1, 1]]
        {
            let mut schedule = design.schedule.clone();
            schedule.order = AxisConfig::new("bisection").with("cut", cut).with("stages", 3).with("within", "lattice");
            schedule.pace = AxisConfig::new("rates").with("steps", sharing.to_vec());
            let plan = schedule.plan(problem.grid, &Registry::builtin()).unwrap().plan;
            let loss = mean_loss(&plan, problem.seed, 1, &problem.field).unwrap();
            assert!(loss.mean.total >= design.loss.mean.total * (1.0 - 1e-9), "{cut} {sharing:?}");
            tried += 1;
        }
    }
    assert!(design.candidates > tried);
    // The loss of each family is that of its schedule.
    for family in &design.families {
        let mut schedule = design.schedule.clone();
        schedule.order = family.order.clone();
        schedule.pace = AxisConfig::new("rates").with("steps", family.steps.clone());
        let plan = schedule.plan(problem.grid, &Registry::builtin()).unwrap().plan;
        let of = |images| mean_loss(&plan, problem.seed, images, &problem.field).unwrap().mean.total;
        let close = |loss: f64| (loss - family.loss).abs() <= 1e-9 * (1.0 + family.loss);
        assert!(close(of(problem.images)) || close(of(design.loss.images.max(512))), "{family:?}");
    }
}

#[test]
fn a_target_loss_is_met_in_the_fewest_steps() {
    let problem = problem(8, 8);
    for nats in [8.0, 1.0, 0.1, 0.0] {
        let design = structured(&problem, Goal::Loss(nats)).unwrap();
        assert!(design.loss.mean.total <= nats);
        let fewer = design.ar_steps.get() as u32 - 1;
        let before = structured(&problem, steps(fewer)).unwrap();
        assert!(before.loss.mean.total > nats, "{nats}: {fewer} steps lose {}", before.loss.mean.total);
    }
    let all = structured(&problem, Goal::Loss(1e9)).unwrap();
    assert_eq!(all.ar_steps.get(), 1);
}

#[test]
fn a_preset_of_a_design_contains_its_evidence() {
    let problem = problem(8, 8);
    let design = structured(&problem, steps(6)).unwrap();
    let freed = free(&problem, &design, 5).unwrap();
    let preset = design.preset("mine", problem.grid, Some(&freed));
    let written = serde_json::to_string(&preset).unwrap();
    assert_eq!(serde_json::from_str::<preset::Preset>(&written).unwrap(), preset);
    let evidence = preset.evidence.unwrap();
    let gap = design.loss.mean.total - freed.loss.mean.total;
    assert_eq!(
        (evidence["free"]["gap_nats"].as_f64(), evidence["candidates"].as_u64()),
        (Some(gap), Some(design.candidates))
    );
    assert_eq!(evidence["families"][0]["order"], serde_json::to_value(&design.schedule.order).unwrap());
    assert!(preset.summary.ends_with("= 6 AR steps"), "{}", preset.summary);
}

#[test]
fn designs_are_deterministic() {
    let problem = problem(6, 9);
    let of = || structured(&problem, steps(5)).unwrap();
    assert_eq!(of(), of());
    assert_eq!(free(&problem, &of(), 3), free(&problem, &of(), 3));
}

#[test]
fn free_partitions_lose_no_more_and_keep_the_number_of_steps() {
    for (height, width, ar_steps) in [(8, 8, 6), (5, 7, 4), (1, 9, 3)] {
        let problem = problem(height, width);
        let design = structured(&problem, steps(ar_steps)).unwrap();
        let freed = free(&problem, &design, 20).unwrap();
        assert!(freed.loss.mean.total <= design.loss.mean.total + 1e-12);
        assert_eq!((freed.ar_steps, freed.loss.standard_error), (design.ar_steps, 0.0));
        assert!(freed.candidates > 0);
        let plan = plan(&problem, &freed);
        assert_eq!(plan.steps().len(), ar_steps as usize);
        assert_eq!(mean_loss(&plan, problem.seed, 1, &problem.field).unwrap(), freed.loss);
    }
    // Start from a bad partition, so that moves can improve it.
    let problem = problem(8, 8);
    let mut rows = structured(&problem, steps(4)).unwrap();
    rows.schedule.order = AxisConfig::new("raster");
    rows.schedule.pace = AxisConfig::new("uniform").with("steps", 4);
    let start = mean_loss(&plan(&problem, &rows), problem.seed, 1, &problem.field).unwrap().mean.total;
    let freed = free(&problem, &rows, 20).unwrap().loss.mean.total;
    assert!(freed < 0.5 * start, "{freed} {start}");
}

#[test]
fn designs_use_a_measured_field_on_its_own_grid() {
    let near = |a: u32, b: u32| (-(f64::from(a.abs_diff(b)))).exp();
    // Columns are independent: whole rows can be drawn in one step without loss.
    let covariance = (0..16_u32)
        .flat_map(|a| (0..16_u32).map(move |b| if a % 4 == b % 4 { near(a / 4, b / 4) } else { 0.0 }))
        .collect();
    let field = Measured::new("columns", grid(4, 4), 1, vec![covariance]).unwrap();
    let problem = Problem { images: 2, ..Problem::new(grid(4, 4), field.clone().into()) };
    let freed = free(&problem, &structured(&problem, steps(4)).unwrap(), 50).unwrap();
    assert!(freed.loss.mean.total < 1e-3, "{}", freed.loss.mean.total);
    let elsewhere = Problem { images: 2, ..Problem::new(grid(4, 5), field.into()) };
    assert!(matches!(structured(&elsewhere, steps(4)), Err(Error::Field(_))));
}

#[test]
fn goals_that_cannot_be_met_say_why() {
    let refused = |problem: &Problem, goal| structured(problem, goal).unwrap_err().to_string();
    let small = problem(3, 3);
    assert_eq!(refused(&small, steps(10)), "design: 10 AR steps exceed the 9 tokens of a grid of 3x3");
    for nats in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(&small, Goal::Loss(nats)).starts_with("design: a loss must be 0 nats or more"));
    }
    let few = Problem { images: 1, ..small.clone() };
    assert!(refused(&few, steps(3)).contains("at least 2 images"));
    let unknown = Problem { diffusion: AxisConfig::new("spiral"), ..small.clone() };
    assert!(refused(&unknown, steps(3)).contains("unknown diffusion `spiral`"));
    let large = problem(65, 64);
    assert!(refused(&large, steps(3)).contains("too large"));
    let lines = problem(40, 40);
    let mut design = structured(&small, steps(3)).unwrap();
    design.schedule.order = AxisConfig::new("raster");
    design.schedule.pace = AxisConfig::new("uniform").with("steps", 40);
    assert!(free(&lines, &design, 1).unwrap_err().to_string().contains("40 AR steps needs more than 512 MiB"));
    design.schedule.pace = AxisConfig::new("uniform").with("steps", 53);
    assert!(free(&problem(8, 8), &design, 1).unwrap_err().to_string().contains("53 AR steps exceed the 52 stages"));
    let identity = (0..18 * 18).map(|at| if at % 19 == 0 { 1.0 } else { 0.0 }).collect();
    let coloured = Measured::new("coloured", small.grid, 2, vec![identity]).unwrap();
    let coloured = Problem { field: coloured.into(), ..small };
    let design = structured(&coloured, steps(3)).unwrap();
    assert!(free(&coloured, &design, 1).unwrap_err().to_string().contains("only fields with one channel"));
}
