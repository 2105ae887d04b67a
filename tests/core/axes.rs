//! The optional axes in the sampling loop: guidance, solver and reuse.

use gtr_core::sampler::{Job, JobOf, SampleError, Settings};
use gtr_core::{
    AxisConfig, AxisName, Capability, Grid, Guidance, GuidanceSchedule, HeadKind, ImageIndex, Plan, Registry, Sampler,
    Seed, preset,
};

use crate::toy::Toy;

fn settings() -> Settings {
    Settings { seed: Seed(1), guidance: Guidance::new(3.0, GuidanceSchedule::Constant).unwrap(), temperature: 1.0 }
}

fn plan(preset: &str, axis: AxisName, config: AxisConfig) -> Plan {
    let mut schedule = preset::find(preset).unwrap().schedule.clone();
    schedule.set_axis(axis, config);
    schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan
}

fn run(plan: &Plan, toy: &mut Toy, settings: &Settings) -> Result<Vec<Vec<u32>>, String> {
    let jobs: [JobOf<Toy>; 1] = [Job::new(0.5, ImageIndex(0))];
    let sampler = Sampler::new(plan, &Registry::builtin()).unwrap();
    sampler.batch(&jobs, settings).run(toy).map_err(|error: SampleError<_>| error.to_string())
}

#[test]
fn steps_outside_of_the_interval_have_exactly_scale_1() {
    let plan =
        plan("mar-8", AxisName::Guidance, AxisConfig::new("interval").with("guided_from", 0.25).with("guided_to", 0.5));
    let mut toy = Toy::new(plan.grid());
    run(&plan, &mut toy, &settings()).unwrap();
    let mut guided = 0;
    for step in &toy.steps {
        let inside = step.known >= 16 && step.known < 32;
        assert_eq!((step.guidance, step.is_guided()), if inside { (3.0, true) } else { (1.0, false) }, "{step:?}");
        guided += usize::from(inside);
    }
    assert!(guided > 0 && guided < toy.steps.len(), "{guided} of {}", toy.steps.len());
    // The canvas has an unconditional half only if a step needs it.
    assert!(toy.guided);
    let mut toy = Toy::new(plan.grid());
    run(&plan, &mut toy, &Settings { guidance: Guidance::NONE, ..settings() }).unwrap();
    assert!(!toy.guided);
}

#[test]
fn the_guidance_axis_overrides_the_course_of_the_model() {
    let linear = plan("mar-8", AxisName::Guidance, AxisConfig::new("linear"));
    let own = preset::find("mar-8").unwrap().schedule.plan(linear.grid(), &Registry::builtin()).unwrap().plan;
    let scales = |plan: &Plan, schedule| {
        let mut toy = Toy::new(plan.grid());
        run(plan, &mut toy, &Settings { guidance: Guidance::new(3.0, schedule).unwrap(), ..settings() }).unwrap();
        toy.steps.iter().map(|step| step.guidance).collect::<Vec<_>>()
    };
    let [constant, ramp] = [GuidanceSchedule::Constant, GuidanceSchedule::Linear];
    assert_eq!(scales(&linear, constant), scales(&linear, ramp));
    assert_ne!(scales(&own, constant), scales(&own, ramp));
    for (a, b) in scales(&linear, constant).into_iter().zip(scales(&own, ramp)) {
        assert!((a - b).abs() < 1e-12, "{a} and {b}");
    }
}

#[test]
fn a_temperature_needs_a_solver_that_adds_noise() {
    let warm = Settings { temperature: 0.9, ..settings() };
    let refused = "the temperature of a solver that adds no noise must be 1, not 0.9";
    for (config, expected) in [
        (AxisConfig::new("ddim"), Err(refused.to_owned())),
        (AxisConfig::new("dpm-solver++"), Err(refused.to_owned())),
        (AxisConfig::new("ddim").with("eta", 0.5), Ok(1)),
        (AxisConfig::new("ddpm"), Ok(1)),
    ] {
        let plan = plan("gtr-8", AxisName::Solver, config);
        assert_eq!(run(&plan, &mut Toy::new(plan.grid()), &warm).map(|images| images.len()), expected);
        assert!(run(&plan, &mut Toy::new(plan.grid()), &settings()).is_ok());
    }
}

#[test]
fn cooling_takes_a_fraction_of_the_temperature() {
    let cooling = AxisConfig::new("linear").with("cooling_end", 0.5);
    let cooled = plan("mar-8", AxisName::Cooling, cooling.clone());
    let mut toy = Toy::new(cooled.grid());
    let own = run(&cooled, &mut toy, &Settings { temperature: 0.5, ..settings() }).unwrap();
    let temperatures: Vec<f64> = toy.steps.iter().map(|step| step.temperature).collect();
    assert_eq!((temperatures[0], temperatures[7]), (0.5, 0.25));
    assert!(temperatures.is_sorted_by(|a, b| a > b), "{temperatures:?}");
    let plain = preset::find("mar-8").unwrap().schedule.plan(cooled.grid(), &Registry::builtin()).unwrap().plan;
    assert_ne!(run(&plain, &mut toy, &Settings { temperature: 0.5, ..settings() }).unwrap(), own);
}

#[test]
fn cooling_needs_a_solver_that_adds_noise() {
    let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
    schedule.set_axis(AxisName::Cooling, AxisConfig::new("linear"));
    schedule.set_axis(AxisName::Solver, AxisConfig::new("ddim"));
    let (grid, registry) = (Grid::new(8, 8).unwrap(), Registry::builtin());
    let error = schedule.plan(grid, &registry).unwrap_err().to_string();
    assert_eq!(error, "cooling: `linear` changes the temperature, but the solver `ddim` adds no noise");
    schedule.adapt.push(AxisName::Cooling);
    let planned = schedule.plan(grid, &registry).unwrap();
    assert_eq!(planned.adaptations.len(), 1, "{:?}", planned.adaptations);
    assert!(planned.plan.steps().iter().all(|step| step.axes().cooling.is_none()));
    let mut noisy = schedule.clone();
    noisy.set_axis(AxisName::Solver, AxisConfig::new("ddim").with("eta", 0.5));
    let noisy = noisy.plan(grid, &registry).unwrap();
    assert!(noisy.adaptations.is_empty() && noisy.plan.steps()[7].axes().cooling.is_some());
}

#[test]
fn what_a_model_cannot_do_is_refused_by_name() {
    for (axis, config, capability) in [
        (AxisName::Solver, AxisConfig::new("ddpm"), Capability::LearnedVariance),
        (AxisName::Reuse, AxisConfig::new("lazymar"), Capability::Reuse),
    ] {
        let plan = plan("mar-8", axis, config);
        let mut toy = Toy::new(plan.grid());
        toy.offers.retain(|offer| *offer != capability);
        let expected = format!("the plan requires {capability}, which this model does not provide");
        assert_eq!(run(&plan, &mut toy, &settings()), Err(expected));
    }
}

#[test]
fn a_categorical_head_refuses_more_than_one_diffusion_step() {
    let one = plan("mar-8", AxisName::Diffusion, AxisConfig::new("constant").with("t", 1));
    let two = plan("mar-8", AxisName::Diffusion, AxisConfig::new("constant").with("t", 2));
    let mut toy = Toy::new(one.grid());
    toy.head = Some(HeadKind::Categorical { vocabulary: 7 });
    assert!(run(&one, &mut toy, &settings()).is_ok());
    let error = run(&two, &mut toy, &settings()).unwrap_err();
    assert!(error.starts_with("AR step 1 has 2 diffusion steps, but this model draws each token in one"), "{error}");
}

#[test]
fn a_categorical_head_ignores_the_solver() {
    let warm = Settings { temperature: 0.5, ..settings() };
    for solver in ["ddpm", "ddim", "dpm-solver++"] {
        let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
        schedule.set_axis(AxisName::Diffusion, AxisConfig::new("constant").with("t", 1));
        schedule.set_axis(AxisName::Solver, AxisConfig::new(solver));
        let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
        let mut toy = Toy::new(plan.grid());
        toy.head = Some(HeadKind::Categorical { vocabulary: 7 });
        toy.offers.retain(|offer| *offer != Capability::LearnedVariance);
        assert_eq!(run(&plan, &mut toy, &warm).map(|images| images.len()), Ok(1), "{solver}");
    }
}

#[test]
fn the_model_is_told_what_a_step_takes_from_earlier_steps() {
    let lazymar = AxisConfig::new("lazymar").with("complete_steps", 1).with("refresh_period", 4);
    let plan = plan("mar-8", AxisName::Reuse, lazymar);
    let mut toy = Toy::new(plan.grid());
    run(&plan, &mut toy, &settings()).unwrap();
    let planned = plan.reuse(toy.steps.iter().map(gtr_core::StepContext::is_guided));
    assert_eq!(toy.steps.iter().map(|step| step.reuse).collect::<Vec<_>>(), planned);
    let cached = toy.steps.iter().filter(|step| step.reuse.is_some_and(|reuse| reuse.cached.is_some())).count();
    assert_eq!(cached, 5);
    assert_eq!(toy.steps, settings().contexts(&plan));
    // Of the complete steps 0, 1 and 5, step 0 comes before a complete step; the last step comes before none.
    let keeps: Vec<bool> = toy.steps.iter().map(|step| step.keeps).collect();
    assert_eq!(keeps, [false, true, true, true, false, true, true, false]);
}
