//! Every registered implementation obeys the laws of its axis, alone and in plans with all other implementations.

use gtr_core::{AnyEntry, AxisConfig, AxisName, Entry, Grid, Order, Registry, Schedule, Seed, laws, preset};
use proptest::prelude::*;
use proptest::test_runner::{Config as Budget, TestRunner};

/// Runs a law on random cases, with a full budget for each entry, and panics with the name of the entry.
fn for_each<A: gtr_core::component::Axis + ?Sized, S: Strategy>(
    entries: &[Entry<A>],
    axis: AxisName,
    cases: impl Fn(BoxedStrategy<AxisConfig>) -> S,
    law: impl Fn(S::Value) -> laws::Law,
) {
    assert!(!entries.is_empty(), "no {axis} is registered");
    for entry in entries {
        run(128, &cases(laws::configs(entry)), &law, AnyEntry::from(entry));
    }
}

/// Runs a law on random cases, and panics with the name of the entry.
fn run<S: Strategy>(cases: u32, strategy: &S, law: impl Fn(S::Value) -> laws::Law, entry: AnyEntry) {
    let mut runner = TestRunner::new(Budget { failure_persistence: None, ..Budget::with_cases(cases) });
    if let Err(error) = runner.run(strategy, law) {
        panic!("{} `{}`: {error}", entry.axis(), entry.kind());
    }
}

/// Returns a schedule with a configuration on one axis.
fn schedule_with(axis: AxisName, config: AxisConfig) -> Schedule {
    let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
    schedule.adapt = AxisName::ALL.to_vec();
    schedule.set_axis(axis, config);
    schedule
}

#[test]
fn every_order_obeys_the_laws() {
    let registry = Registry::builtin();
    for_each(
        registry.orders(),
        AxisName::Order,
        |configs| (configs, laws::grids()),
        |(config, grid)| {
            let order: Box<dyn Order> = registry.build_order(&config).unwrap();
            laws::order(&*order, grid)
        },
    );
}

#[test]
fn every_pace_obeys_the_laws() {
    let registry = Registry::builtin();
    let stages = || {
        prop::collection::vec(0..400usize, 1..6).prop_filter("at least one token", |it| it.iter().sum::<usize>() > 0)
    };
    for_each(
        registry.paces(),
        AxisName::Pace,
        |configs| (configs, stages()),
        |(config, stages)| laws::pace(&*registry.build_pace(&config).unwrap(), &stages),
    );
}

#[test]
fn every_diffusion_curve_obeys_the_laws() {
    let registry = Registry::builtin();
    for_each(
        registry.diffusions(),
        AxisName::Diffusion,
        |configs| (configs, 1..70usize, 0..5usize),
        |(config, g, r)| laws::diffusion(&*registry.build_diffusion(&config).unwrap(), g, r),
    );
}

#[test]
fn every_detail_rule_obeys_the_laws() {
    let registry = Registry::builtin();
    let features = prop::collection::vec(-3.0..3.0f32, 40 * 6);
    let cases = |configs| (configs, 1..40usize, features.clone(), any::<u64>());
    for_each(registry.details(), AxisName::Detail, cases, |(config, count, features, seed)| {
        let tokens: Vec<_> = Grid::new(8, 8).unwrap().iter().skip(5).take(count).collect();
        laws::detail(&*registry.build_detail(&config).unwrap(), &tokens, &features[..count * 6], 6, Seed(seed))
    });
}

#[test]
fn every_implementation_gives_valid_plans_with_all_others() {
    let registry = Registry::builtin();
    let law = |(grid, schedule, seed): (Grid, Schedule, u64)| {
        let planned = schedule.plan(grid, &registry);
        let planned = planned.map_err(|error| TestCaseError::fail(format!("{schedule:?} on {grid}: {error}")))?;
        laws::plan(&planned.plan, &registry, Seed(seed))
    };
    for axis in AxisName::ALL {
        for entry in registry.entries(axis) {
            let schedules = laws::schedules_with(&registry, axis, laws::configs(entry));
            run(128, &(laws::grids(), schedules, any::<u64>()), law, entry);
        }
    }
}

#[test]
fn every_implementation_is_documented() {
    let registry = Registry::builtin();
    let entries = AxisName::ALL.into_iter().flat_map(|axis| registry.entries(axis));
    entries.for_each(|entry| laws::is_documented(entry).unwrap());
}

/// The default kind of an optional axis has no parameters, so a schedule need not write it.
#[test]
fn default_kinds_are_registered_and_have_no_parameters() {
    let registry = Registry::builtin();
    for axis in AxisName::ALL {
        let Some(kind) = axis.default_kind() else { continue };
        let entry = registry.entries(axis).into_iter().find(|entry| entry.kind() == kind);
        let entry = entry.unwrap_or_else(|| panic!("{axis} `{kind}` is not registered"));
        assert!(entry.describe().parameters.is_empty(), "{axis} `{kind}`");
        let plan = schedule_with(axis, AxisConfig::new(kind)).plan(Grid::new(8, 8).unwrap(), &registry).unwrap().plan;
        assert!(plan.schedule().axes().all(|(set, _)| set != axis), "{axis} is written");
        assert!(plan.steps().iter().all(|step| step.axes().is_empty()), "{axis} adds data");
        assert_eq!(plan.to_document().format_version, 1);
    }
}

#[test]
fn names_are_sorted_and_unique_per_axis() {
    let descriptions = Registry::builtin().describe();
    for axis in AxisName::ALL {
        let kinds: Vec<_> = descriptions.iter().filter(|it| it.axis == axis).map(|it| it.kind).collect();
        assert!(kinds.is_sorted_by(|a, b| a < b), "{axis}: {kinds:?}");
    }
}

#[test]
fn every_example_can_be_planned() {
    let registry = Registry::builtin();
    let entries = AxisName::ALL.into_iter().flat_map(|axis| registry.entries(axis));
    let examples: Vec<(AxisName, AxisConfig)> =
        entries.flat_map(|entry| entry.examples().into_iter().map(move |(_, it)| (entry.axis(), it))).collect();
    assert!(examples.len() >= 20);
    for (axis, config) in examples {
        let planned = schedule_with(axis, config).plan(Grid::new(16, 16).unwrap(), &registry).unwrap();
        laws::plan(&planned.plan, &registry, Seed(1)).unwrap();
    }
}
