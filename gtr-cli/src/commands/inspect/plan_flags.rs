//! The flags that reproduce a recorded plan.

use gtr_core::{AxisConfig, AxisName, Plan, Schedule, TimestepLimit, TokenSet, preset};
use serde_json::Value;

use crate::args::{self, Cli, Command};
use crate::catalogue::Catalogue;

/// Names of the timestep limits, which every diffusion curve may have.
const LIMITS: [&str; 2] = ["max_timestep", "clip_timestep"];

/// Returns the fewest flags of `sample` that give exactly this plan with a model of this timestep limit, or `None` if no flags
/// do.
///
/// The flags are tested: they are parsed as a command line, and the resulting plan is compared.
pub(super) fn flags(plan: &Plan, limit: Option<TimestepLimit>, catalogue: &Catalogue) -> Option<Vec<String>> {
    let tried = preset::all().iter().flat_map(|preset| {
        let base = preset.schedule.plan_rest(&known(plan), &catalogue.registry).ok();
        let base = base.map(|planned| planned.plan.schedule().clone());
        let changes = |base: Schedule| {
            // The limit of the model needs no flag.
            [false, true].map(|with_limit| {
                let mut flags = vec!["--preset".to_owned(), preset.name.clone()];
                for axis in AxisName::ALL {
                    change(axis, base.axis(axis), plan.schedule().axis(axis), with_limit, catalogue, &mut flags);
                }
                flags
            })
        };
        base.map(changes).into_iter().flatten()
    });
    tried.filter(|flags| makes(flags, plan, limit, catalogue)).min_by_key(Vec::len)
}

/// Adds the flags that change one configuration of an axis into another.
fn change(
    axis: AxisName,
    from: &AxisConfig,
    to: &AxisConfig,
    with_limit: bool,
    catalogue: &Catalogue,
    flags: &mut Vec<String>,
) {
    let mut from = from.clone();
    if from.kind != to.kind {
        flags.extend([format!("--{axis}"), to.kind.clone()]);
        from = catalogue.find(axis, &to.kind).map_or_else(|| AxisConfig::new(&to.kind), |kind| kind.default.clone());
    }
    for (name, value) in &to.params {
        if from.params.get(name) == Some(value) {
            continue;
        }
        let limit = LIMITS.contains(&name.as_str());
        if limit && !with_limit {
            continue;
        }
        let known = catalogue.find(axis, &to.kind).is_some_and(|kind| kind.form(name).is_some());
        match describe(value) {
            Some(text) if known || limit => flags.extend([format!("--{}", name.replace('_', "-")), text]),
            _ => flags.extend(["--set".to_owned(), format!("{axis}.{name}={value}")]),
        }
    }
}

/// Formats a value for its flag.
fn describe(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => Some(values.iter().map(describe).collect::<Option<Vec<_>>>()?.join(",")),
        _ => None,
    }
}

/// Returns true if the flags give the plan.
fn makes(flags: &[String], plan: &Plan, limit: Option<TimestepLimit>, catalogue: &Catalogue) -> bool {
    let words = ["gtr-cli", "sample", "--class", "0", "--out", "x.png"].map(str::to_owned);
    let Ok(Cli { command: Command::Sample(args), .. }) = args::parse(catalogue, words.iter().chain(flags)) else {
        return false;
    };
    let Ok(mut chosen) = args.schedule.choose(catalogue) else { return false };
    if limit.is_some_and(|limit| chosen.schedule.set_default_timestep_limit(limit).is_err()) {
        return false;
    }
    chosen.schedule.plan_rest(&known(plan), &catalogue.registry).is_ok_and(|planned| planned.plan == *plan)
}

fn known(plan: &Plan) -> TokenSet {
    TokenSet::from_tokens(plan.grid(), plan.known().iter().copied())
}

#[cfg(test)]
mod tests {
    use gtr_core::{Grid, Registry, Timestep};

    use super::*;

    fn planned(schedule: &Schedule, grid: &str) -> Plan {
        let grid: Grid = grid.parse().unwrap();
        schedule.plan(grid, &Registry::builtin()).unwrap().plan
    }

    #[test]
    fn every_preset_is_found_by_its_name() {
        let catalogue = Catalogue::new(Registry::builtin(), gtr_backends::Families::builtin());
        for preset in preset::all() {
            for grid in ["16x16", "8x8", "5x9"] {
                let mut schedule = preset.schedule.clone();
                // As in `sample`.
                schedule.set_default_timestep_limit(TimestepLimit::NONE).unwrap();
                let plan = planned(&schedule, grid);
                let flags = flags(&plan, Some(TimestepLimit::NONE), &catalogue).unwrap();
                assert_eq!(flags.len(), 2, "{flags:?}");
                assert!(makes(&flags, &plan, Some(TimestepLimit::NONE), &catalogue));
            }
        }
    }

    #[test]
    fn changes_become_flags() {
        let catalogue = Catalogue::new(Registry::builtin(), gtr_backends::Families::builtin());
        let mut schedule = preset::find("gtr-16").unwrap().schedule.clone();
        schedule.order = schedule.order.with("cut", "quincunx");
        schedule.pace = AxisConfig::new("rates").with("steps", vec![9, 2, 1]);
        schedule.diffusion = AxisConfig::new("constant").with("t", 7).with("max_timestep", 949);
        schedule.adapt.clear();
        let plan = planned(&schedule, "16x16");
        let limit = TimestepLimit::Max(Timestep::new(949).unwrap());
        let words = flags(&plan, Some(limit), &catalogue).unwrap().join(" ");
        assert!(!words.contains("timestep") && words.contains("--cut quincunx --steps 9,2,1"), "{words}");
        // For an unknown model the limit is always given.
        let words = flags(&plan, None, &catalogue).unwrap().join(" ");
        assert!(words.contains("--max-timestep 949"), "{words}");
    }

    #[test]
    fn a_plan_of_an_unknown_implementation_needs_its_file() {
        let catalogue = Catalogue::new(Registry::builtin(), gtr_backends::Families::builtin());
        let mut document = planned(&preset::find("gtr-8").unwrap().schedule, "8x8").to_document();
        document.schedule.order.kind = "elsewhere".to_owned();
        let plan = Plan::from_document(&document, &Registry::builtin()).unwrap().plan;
        assert_eq!(flags(&plan, None, &catalogue), None);
    }
}
