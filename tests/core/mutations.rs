//! A mutation test for every rule of `spec/SPEC.md`: a valid plan is changed so that it violates this rule alone, and `verify`
//! must report this rule and no other.

use std::collections::BTreeSet;

use gtr_core::{
    AxisConfig, DetailDocument, Fraction, Grid, PlanDocument, Registry, Role, Rule, Schedule, StageDocument,
    StageOrder, laws, preset, verify,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Documents of any combination of implementations.
fn known() -> impl Strategy<Value = PlanDocument> {
    let plans = prop_oneof![laws::plans(&Registry::builtin()), laws::plans_of_a_rest(&Registry::builtin())];
    plans.prop_map(|plan| plan.to_document())
}

/// Documents like [`foreign`], with known tokens.
fn begun() -> impl Strategy<Value = PlanDocument> {
    foreign().prop_filter("tokens are known", |document| !document.known.is_empty())
}

/// Documents with an unregistered schedule, to which only the structural rules apply.
fn foreign() -> impl Strategy<Value = PlanDocument> {
    known().prop_map(|mut document| {
        let within = document.schedule.order.params.get("within").cloned();
        let order = Registry::builtin().build_order(&document.schedule.order).unwrap();
        let stated = if order.within() == StageOrder::Ranked { "ranked" } else { "random" };
        document.schedule.order = AxisConfig::new("from-elsewhere").with("within", within.unwrap_or(stated.into()));
        // Fixed orders list tokens in the order of generation; in these the order depends on the seed.
        document.stages.iter_mut().for_each(|stage| stage.tokens.sort_unstable());
        document
    })
}

/// Changes documents with `mutate`, which returns false if it cannot, and checks that exactly `rule` is reported.
fn is_caught(rule: Rule, documents: impl Strategy<Value = PlanDocument>, mutate: impl Fn(&mut PlanDocument) -> bool) {
    let registry = Registry::builtin();
    let broken = std::cell::Cell::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) };
    let result = TestRunner::new(config).run(&documents, |mut document| {
        let before = verify(&document, &registry);
        prop_assert!(before.is_sound(), "not sound to begin with: {:?}", before.violations);
        if mutate(&mut document) {
            broken.set(broken.get() + 1);
            let named: BTreeSet<Rule> = verify(&document, &registry).violations.iter().map(|it| it.rule).collect();
            prop_assert_eq!(named, BTreeSet::from([rule]));
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{rule}: {error}"));
    assert!(broken.get() >= 20, "{rule}: only {} plans had something to break", broken.get());
}

/// Returns the position of a step whose stage has at least two steps.
fn shared_step(document: &PlanDocument) -> Option<usize> {
    document.steps.windows(2).position(|pair| pair[0].stage == pair[1].stage)
}

fn text(document: &PlanDocument) -> serde_json::Value {
    serde_json::from_str(&document.to_json()).unwrap()
}

type Break = fn(&mut serde_json::Value);

/// Replaces an object by an array of its values.
fn nameless(value: &mut serde_json::Value) {
    *value = value.as_object().unwrap().values().cloned().collect();
}

#[test]
fn r01_document() {
    let document = preset::find("gtr-16").unwrap().schedule.plan(Grid::new(4, 4).unwrap(), &Registry::builtin());
    let value = text(&document.unwrap().plan.to_document());
    let reads = |value: &serde_json::Value| PlanDocument::parse(&value.to_string());
    assert!(reads(&value).is_ok());
    let broken: [(&str, Break); 15] = [
        ("stages[2].role", |it| it["stages"][2]["role"] = "finishing".into()),
        ("steps[0].tokens", |it| it["steps"][0]["tokens"] = (-1).into()),
        ("stages[0].tokens[0]", |it| it["stages"][0]["tokens"][0] = "0".into()),
        ("grid.height", |it| it["grid"]["height"] = 1.5.into()),
        ("steps", |it| it["steps"] = serde_json::Value::Null),
        ("the document", |it| drop(it.as_object_mut().unwrap().remove("grid"))),
        ("seed", |it| it["seed"] = 1.into()),
        ("schedule.order", |it| it["schedule"]["order"] = "bisection".into()),
        ("the document", |it| nameless(it)),
        ("grid", |it| nameless(&mut it["grid"])),
        ("schedule", |it| nameless(&mut it["schedule"])),
        ("schedule.order", |it| nameless(&mut it["schedule"]["order"])),
        ("stages[1]", |it| nameless(&mut it["stages"][1])),
        ("steps[0]", |it| nameless(&mut it["steps"][0])),
        ("known", |it| it["known"] = serde_json::Value::Null),
    ];
    for (place, mutate) in broken {
        let mut value = value.clone();
        mutate(&mut value);
        let violation = reads(&value).unwrap_err();
        assert_eq!((violation.rule, violation.place.as_str()), (Rule::Document, place), "{violation}");
    }
}

#[test]
fn r02_version() {
    for wrong in [0, 4, u64::MAX] {
        is_caught(Rule::Version, known(), |document| {
            document.format_version = wrong;
            true
        });
    }
    // The expected version depends on the known tokens and on the optional axes.
    for step in [1, 2] {
        is_caught(Rule::Version, known(), |document| {
            document.format_version = 1 + (document.format_version - 1 + step) % 3;
            true
        });
    }
}

#[test]
fn r03_grid() {
    is_caught(Rule::Grid, known(), |document| {
        document.grid.height = if document.grid.width % 2 == 0 { 0 } else { 4_000_000_000 };
        true
    });
}

#[test]
fn r04_stages() {
    is_caught(Rule::Stages, foreign(), |document| {
        document.stages.insert(0, StageDocument { role: Role::Generation, tokens: Vec::new() });
        document.steps.iter_mut().for_each(|step| step.stage += 1);
        true
    });
    // All tokens are known, so no stage remains.
    is_caught(Rule::Stages, begun(), |document| {
        document.known.extend(document.stages.drain(..).flat_map(|stage| stage.tokens));
        document.known.sort_unstable();
        document.steps.clear();
        true
    });
}

#[test]
fn r05_on_grid() {
    is_caught(Rule::OnGrid, foreign(), |document| {
        let beyond = u32::try_from(document.grid.height * document.grid.width).unwrap();
        document.stages.last_mut().unwrap().tokens.push(beyond);
        document.steps.last_mut().unwrap().tokens += 1;
        true
    });
    is_caught(Rule::OnGrid, begun(), |document| {
        let beyond = u32::try_from(document.grid.height * document.grid.width).unwrap();
        document.known.push(beyond);
        true
    });
}

#[test]
fn r06_disjoint() {
    is_caught(Rule::Disjoint, foreign(), |document| {
        let last = document.stages.last_mut().unwrap();
        last.tokens.push(*last.tokens.last().unwrap());
        document.steps.last_mut().unwrap().tokens += 1;
        true
    });
    is_caught(Rule::Disjoint, begun(), |document| {
        document.known.push(document.stages[0].tokens[0]);
        document.known.sort_unstable();
        true
    });
    is_caught(Rule::Disjoint, begun(), |document| {
        document.known.push(*document.known.last().unwrap());
        true
    });
}

#[test]
fn r07_covering() {
    is_caught(Rule::Covering, begun(), |document| {
        let can = document.known.len() > 1;
        can && document.known.pop().is_some()
    });
    is_caught(Rule::Covering, foreign(), |document| {
        let step = document.steps.last_mut().unwrap();
        // The step must keep a token, and enough tokens for its detail.
        let can = step.tokens > step.detail.map_or(1, |detail| detail.tokens);
        if can {
            step.tokens -= 1;
            document.stages.last_mut().unwrap().tokens.pop();
        }
        can
    });
}

#[test]
fn r08_listing() {
    is_caught(Rule::Listing, foreign(), |document| {
        let tokens = &mut document.stages[0].tokens;
        tokens.reverse();
        tokens.len() > 1
    });
    is_caught(Rule::Listing, begun(), |document| {
        document.known.reverse();
        document.known.len() > 1
    });
}

#[test]
fn r09_roles() {
    is_caught(Rule::Roles, foreign(), |document| {
        document.stages[0].role = Role::Reconstruction;
        true
    });
}

#[test]
fn r10_step_order() {
    is_caught(Rule::StepOrder, foreign(), |document| {
        let Some(border) = document.steps.windows(2).position(|pair| pair[0].stage != pair[1].stage) else {
            return false;
        };
        document.steps.swap(border, border + 1);
        true
    });
    is_caught(Rule::StepOrder, foreign(), |document| {
        let mut beyond = *document.steps.last().unwrap();
        beyond.stage = 99;
        document.steps.push(beyond);
        true
    });
}

#[test]
fn r11_step_tokens() {
    is_caught(Rule::StepTokens, foreign(), |document| {
        document.steps[0].tokens += 1;
        true
    });
    is_caught(Rule::StepTokens, foreign(), |document| {
        let Some(step) = shared_step(document) else { return false };
        if document.steps[step].detail.is_some() || document.steps[step + 1].detail.is_some() {
            return false;
        }
        document.steps[step + 1].tokens += document.steps[step].tokens;
        document.steps[step].tokens = 0;
        true
    });
}

#[test]
fn r12_diffusion_steps() {
    for wrong in [0, 1001, u64::MAX] {
        is_caught(Rule::DiffusionSteps, foreign(), |document| {
            document.steps[0].diffusion_steps = wrong;
            true
        });
    }
    is_caught(Rule::DiffusionSteps, foreign(), |document| {
        document.schedule.diffusion = AxisConfig::new("from-elsewhere").with("max_timestep", 499);
        document.steps.iter_mut().for_each(|step| {
            step.diffusion_steps = 501;
            step.detail = None;
        });
        true
    });
}

#[test]
fn r13_detail() {
    is_caught(Rule::Detail, foreign(), |document| {
        document.steps[0].detail = Some(DetailDocument { tokens: 1, diffusion_steps: 50 });
        true
    });
    let breaks: [fn(&mut DetailDocument); 3] =
        [|it| it.tokens = 0, |it| it.tokens = 1 << 30, |it| it.diffusion_steps = 0];
    for break_it in breaks {
        is_caught(Rule::Detail, foreign(), |document| {
            let Some(detail) = document.steps.last_mut().unwrap().detail.as_mut() else { return false };
            break_it(detail);
            true
        });
    }
}

#[test]
fn r14_schedule() {
    is_caught(Rule::Schedule, known(), |document| {
        document.schedule.pace = document.schedule.pace.clone().with("speed", 3);
        true
    });
    is_caught(Rule::Schedule, known(), |document| {
        let adapted = !document.schedule.adapt.is_empty();
        document.schedule.adapt.clear();
        adapted
    });
}

#[test]
fn r15_order_produced() {
    // Only its schedule determines how a listed order lists its tokens.
    is_caught(Rule::OrderProduced, known(), |document| {
        let order = Registry::builtin().build_order(&document.schedule.order).unwrap();
        let listed = order.within() == StageOrder::Listed;
        let tokens = &mut document.stages[0].tokens;
        tokens.reverse();
        listed && tokens.len() > 1
    });
    // Swap tokens between stages, and keep both lists in order.
    is_caught(Rule::OrderProduced, known(), |document| {
        let [first, second, ..] = document.stages.as_mut_slice() else { return false };
        std::mem::swap(&mut first.tokens[0], &mut second.tokens[0]);
        first.tokens.sort_unstable();
        second.tokens.sort_unstable();
        true
    });
}

#[test]
fn r16_pace_produced() {
    is_caught(Rule::PaceProduced, known(), |document| {
        let Some(step) = shared_step(document) else { return false };
        if document.steps[step].tokens < 2 || document.steps[step].detail.is_some() {
            return false;
        }
        document.steps[step].tokens -= 1;
        document.steps[step + 1].tokens += 1;
        true
    });
}

#[test]
fn r17_diffusion_produced() {
    is_caught(Rule::DiffusionProduced, known(), |document| {
        document.steps[0].diffusion_steps += 1;
        true
    });
}

#[test]
fn r18_detail_produced() {
    is_caught(Rule::DetailProduced, known(), |document| {
        let Some(detail) = document.steps.last_mut().unwrap().detail.as_mut() else { return false };
        detail.diffusion_steps += 1;
        true
    });
    is_caught(Rule::DetailProduced, known(), |document| {
        let step = document.steps.last_mut().unwrap();
        let extra = Some(DetailDocument { tokens: 1, diffusion_steps: 7 });
        let reconstructs = document.stages.last().unwrap().role == Role::Reconstruction;
        std::mem::replace(&mut step.detail, extra).is_none() && reconstructs
    });
}

#[test]
fn r19_axes_produced() {
    let other = |found: Option<Fraction>| Some(found.filter(|it| it.get() < 0.5).map_or(0.25, |it| it.get() + 0.5));
    is_caught(Rule::AxesProduced, known(), |document| {
        let axes = &mut document.steps[0].axes;
        axes.guidance = other(axes.guidance).and_then(|strength| Fraction::new(strength).ok());
        true
    });
    is_caught(Rule::AxesProduced, known(), |document| {
        let axes = &mut document.steps.last_mut().unwrap().axes;
        axes.reuse.take().is_some()
    });
}

#[test]
fn an_unknown_schedule_is_checked_structurally_with_a_note() {
    let schedule: &Schedule = &preset::find("gtr-16").unwrap().schedule;
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    let mut document = plan.to_document();
    document.schedule.detail = AxisConfig::new("by-eye");
    let verification = verify(&document, &Registry::builtin());
    assert!(verification.is_sound());
    assert_eq!(verification.notes, ["not registered here: detail `by-eye`; rules 14 to 19 were not checked"]);
}

#[test]
fn violations_of_one_rule_are_limited() {
    let plan =
        preset::find("mar-64").unwrap().schedule.plan(Grid::new(16, 16).unwrap(), &Registry::builtin()).unwrap().plan;
    let mut document = plan.to_document();
    document.stages[0].tokens.fill(7);
    let verification = verify(&document, &Registry::builtin());
    let disjoint = verification.violations.iter().filter(|it| it.rule == Rule::Disjoint).count();
    assert_eq!(disjoint, 8);
    assert!(verification.notes.contains(&"R6 disjoint is violated in 247 more places".to_owned()));
}
