//! Summaries of plans, and display forms of types.

use gtr_core::sampler::SampleError;
use gtr_core::{
    AxisConfig, Capability, Error, FeatureRows, FitPolicy, Grid, Guidance, GuidanceSchedule, Registry, Role, Rule,
    Spectrum, Timestep, TimestepLimit, preset, verify,
};

#[test]
fn a_summary_counts_evaluations() {
    let schedule = &preset::find("gtr-paper").unwrap().schedule;
    let plan = schedule.plan(Grid::new(16, 16).unwrap(), &Registry::builtin()).unwrap().plan;
    let summary = plan.summary();
    assert_eq!((summary.tokens, summary.ar_steps), (256, 32));
    let generation: usize = plan.steps()[..30].iter().map(|step| step.diffusion_steps().get() as usize).sum();
    // In the last two steps the longest chain is that of the detail.
    assert_eq!(summary.head_evaluations, generation + 2 * 50);
    assert_eq!(summary.network_evaluations(), 32 + summary.head_evaluations);
    let tokens: usize =
        plan.steps()[..30].iter().map(|step| step.tokens() * step.diffusion_steps().get() as usize).sum();
    assert_eq!(summary.token_evaluations, tokens + 2 * (58 * 20 + 6 * 50));
    let [first, _, last] = summary.stages.as_slice() else { panic!("three stages") };
    assert_eq!((first.role, first.tokens, first.ar_steps, first.detail), (Role::Generation, 64, 24, None));
    assert_eq!((first.first_diffusion_steps.get(), first.last_diffusion_steps.get()), (50, 26));
    let detail = last.detail.unwrap();
    assert_eq!((last.role, detail.tokens, detail.diffusion_steps.get()), (Role::Reconstruction, 12, 50));
}

#[test]
fn clipped_timesteps_are_counted_after_merging() {
    let schedule = &preset::find("disa-16").unwrap().schedule;
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    let recorded: serde_json::Value = serde_json::from_str(include_str!("../golden/disa.json")).unwrap();
    let same = |run: &&serde_json::Value| {
        run["strategy"] == "linear" && run["num_iter"] == 16 && run["diff_upper_steps"] == 50
    };
    let run = recorded["runs"].as_array().unwrap().iter().find(same).unwrap();
    let nominal: usize = plan.steps().iter().map(|step| step.diffusion_steps().get() as usize).sum();
    assert_eq!(Some(nominal as u64), run["total_nominal"].as_u64());
    assert_eq!(Some(plan.summary().head_evaluations as u64), run["total_actual"].as_u64());
}

#[test]
fn full_detail_leaves_no_plain_token() {
    let mut schedule = preset::find("gtr-8").unwrap().schedule.clone();
    schedule.detail = AxisConfig::new("full").with("t_detail", 5);
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    let before: usize = plan.steps()[..7].iter().map(|step| step.diffusion_steps().get() as usize).sum();
    assert_eq!(plan.summary().head_evaluations, before + 5);
}

#[test]
fn a_plan_that_differs_from_its_schedule_is_invalid() {
    let schedule = &preset::find("mar-16").unwrap().schedule;
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    let mut document = plan.to_document();
    let rest = document.stages[0].tokens.split_off(40);
    document.stages.push(gtr_core::StageDocument { role: Role::Reconstruction, tokens: rest });
    for (step, tokens) in document.steps.iter_mut().zip([20, 20, 24]) {
        step.tokens = tokens;
    }
    document.steps.truncate(3);
    document.steps[2].stage = 1;
    let violations = verify(&document, &Registry::builtin()).violations;
    let rules: Vec<Rule> = violations.iter().map(|it| it.rule).collect();
    assert!(rules.iter().all(|rule| [Rule::OrderProduced, Rule::PaceProduced].contains(rule)), "{violations:?}");
    let found: Vec<&str> = violations.iter().map(|it| it.found.as_str()).collect();
    assert!(found.contains(&"2 stages") && found.contains(&"40 tokens") && found.contains(&"3 steps"), "{found:?}");
    let mut renamed = plan.to_document();
    renamed.stages[0].role = Role::Reconstruction;
    let of_role = verify(&renamed, &Registry::builtin()).violations;
    assert_eq!(of_role.iter().map(|it| it.rule).collect::<Vec<_>>(), [Rule::Roles, Rule::OrderProduced]);
}

#[test]
fn violations_are_printed_with_their_numbers() {
    let document = gtr_core::PlanDocument::parse("[]").unwrap_err();
    let value = serde_json::to_value(&document).unwrap();
    assert_eq!((&value["rule"], &value["name"]), (&1.into(), &"document".into()));
    let schema = schemars::schema_for!(gtr_core::Violation);
    assert!(schema.get("properties").is_some_and(|it| it.get("expected").is_some()));
}

#[test]
fn types_have_readable_display_forms() {
    assert_eq!(TimestepLimit::NONE.to_string(), "0 to 999");
    assert_eq!(TimestepLimit::Clip(Timestep::new(950).unwrap()).to_string(), "0 to 999, clipped at 950");
    assert_eq!(Capability::HostFeatures.to_string(), "conditioning vectors in host memory");
    let guidance = Guidance::new(2.5, GuidanceSchedule::Constant).unwrap();
    assert_eq!((guidance.scale(), guidance.schedule()), (2.5, GuidanceSchedule::Constant));
    assert_eq!(format!("{:?}", Spectrum::new(3)), "Spectrum { width: 3, .. }");
    let unsupported: SampleError<Error> = SampleError::Unsupported(Capability::HostFeatures);
    assert!(unsupported.to_string().contains("which this model does not provide"));
    assert!(FitPolicy::strict(gtr_core::AxisName::Pace).instead("too many".to_owned(), "fewer").is_err());
    assert_eq!(FeatureRows { width: 1, values: vec![0.5] }.values.len(), 1);
}

#[test]
fn a_registry_describes_and_replaces() {
    let registry = Registry::default();
    let described = registry.describe();
    let entries: usize = gtr_core::AxisName::ALL.into_iter().map(|axis| registry.entries(axis).len()).sum();
    assert_eq!(described.len(), entries);
    let fts = described.iter().find(|it| it.kind == "fts").unwrap();
    assert!(fts.source.contains("equation 5") && fts.parameters.len() == 2);
    let schemas = registry.schemas(&mut schemars::SchemaGenerator::default());
    assert_eq!(schemas.len(), entries);
    let orders = registry.orders().len();
    assert_eq!(registry.orders()[0].source(), described[0].source);
    let again = registry.with_order::<gtr_core::order::Raster>();
    assert_eq!(again.orders().len(), orders);
    assert_eq!(again.orders().last().map(|entry| entry.kind()), Some("raster"));
}
