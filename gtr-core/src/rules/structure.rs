//! The structural rules, which apply to all plans.

use super::Findings;
use crate::document::{count, diffusion_steps};
use crate::{Grid, PlanDocument, Registry, Role, Rule, StageOrder, TimestepLimit, Timesteps, TokenSet};

pub(super) fn check(document: &PlanDocument, (registry, within): (&Registry, StageOrder), findings: &mut Findings) {
    if let Ok(grid) = document.grid.grid() {
        tokens(document, grid, findings);
    } else {
        let found = format_args!("{} by {}", document.grid.height, document.grid.width);
        findings.add(Rule::Grid, "grid", found, "sides of at least 1 and at most 16777216 tokens");
    }
    stages(document, findings);
    ascending("known", &document.known, "ascending tokens", findings);
    if within != StageOrder::Listed {
        listing(document, findings);
    }
    steps(document, findings);
    diffusion(document, registry, findings);
    detail(document, findings);
}

/// R5, R6 and R7.
fn tokens(document: &PlanDocument, grid: Grid, findings: &mut Findings) {
    let mut seen = TokenSet::empty(grid);
    for (list, tokens) in lists(document) {
        for (position, &token) in tokens.iter().enumerate() {
            let place = format_args!("{list}[{position}]");
            match grid.token(token as usize) {
                Err(_) => {
                    let last = grid.tokens() - 1;
                    findings.add(Rule::OnGrid, place, token, format_args!("0 to {last}"));
                }
                Ok(index) if !seen.insert(index) => {
                    findings.add(Rule::Disjoint, place, format_args!("token {token} again"), "every token once");
                }
                Ok(_) => {}
            }
        }
    }
    for missing in seen.complement().iter() {
        findings.add(Rule::Covering, "stages", format_args!("no token {missing}"), "every token of the grid once");
    }
}

/// Returns the path and the tokens of each list of tokens.
fn lists(document: &PlanDocument) -> impl Iterator<Item = (String, &[u32])> {
    let stages = document.stages.iter().enumerate();
    let stages = stages.map(|(position, stage)| (format!("stages[{position}].tokens"), stage.tokens.as_slice()));
    std::iter::once(("known".to_owned(), document.known.as_slice())).chain(stages)
}

/// R4 and R9.
fn stages(document: &PlanDocument, findings: &mut Findings) {
    if document.stages.is_empty() {
        findings.add(Rule::Stages, "stages", "no stage", "at least one");
    }
    let last = document.stages.len().saturating_sub(1);
    for (position, stage) in document.stages.iter().enumerate() {
        if stage.tokens.is_empty() {
            findings.add(Rule::Stages, format_args!("stages[{position}].tokens"), "no token", "at least one");
        }
        if stage.role == Role::Reconstruction && (position == 0 || position < last) {
            let expected = "generation; only the last of several stages can be a reconstruction";
            findings.add(Rule::Roles, format_args!("stages[{position}].role"), stage.role, expected);
        }
    }
}

/// R8.
fn listing(document: &PlanDocument, findings: &mut Findings) {
    for (stage, tokens) in document.stages.iter().enumerate() {
        let expected = "ascending tokens, because the list does not determine their order";
        ascending(format_args!("stages[{stage}].tokens"), &tokens.tokens, expected, findings);
    }
}

fn ascending(list: impl std::fmt::Display, tokens: &[u32], expected: &str, findings: &mut Findings) {
    for (position, pair) in tokens.windows(2).enumerate() {
        // A repeated token violates another rule, R6.
        if pair[1] < pair[0] {
            let place = format_args!("{list}[{}]", position + 1);
            findings.add(Rule::Listing, place, format_args!("{} after {}", pair[1], pair[0]), expected);
        }
    }
}

/// R10 and R11.
fn steps(document: &PlanDocument, findings: &mut Findings) {
    let stages = document.stages.len();
    let mut generated = vec![0u64; stages];
    let mut previous = 0;
    let mut steps = vec![0usize; stages];
    for (position, step) in document.steps.iter().enumerate() {
        let stage = count(step.stage);
        if stage >= stages {
            let expected = format_args!("the position of one of the {stages} stages");
            findings.add(Rule::StepOrder, format_args!("steps[{position}].stage"), step.stage, expected);
            continue;
        }
        if stage < previous {
            let expected = format_args!("{previous} or more; stages are generated in order");
            findings.add(Rule::StepOrder, format_args!("steps[{position}].stage"), step.stage, expected);
        }
        previous = previous.max(stage);
        steps[stage] += 1;
        generated[stage] = generated[stage].saturating_add(step.tokens);
        if step.tokens == 0 {
            findings.add(Rule::StepTokens, format_args!("steps[{position}].tokens"), 0, "at least one token");
        }
    }
    for (stage, tokens) in document.stages.iter().enumerate() {
        let expected = tokens.tokens.len() as u64;
        if expected == 0 {
            // An empty stage violates another rule, R4.
            continue;
        }
        if steps[stage] == 0 {
            findings.add(
                Rule::StepOrder,
                "steps",
                format_args!("no step of stage {stage}"),
                "at least one step per stage",
            );
        } else if generated[stage] != expected {
            let found = format!("{} in the steps of stage {stage}", crate::count(generated[stage], "token"));
            let expected = format!("the {} of the stage", crate::count(expected, "token"));
            findings.add(Rule::StepTokens, "steps", found, expected);
        }
    }
}

/// R12, and the diffusion steps of R13.
fn diffusion(document: &PlanDocument, registry: &Registry, findings: &mut Findings) {
    let limit = match document.schedule.limit(registry) {
        Ok(limit) => limit,
        Err(error) => {
            findings.add(Rule::DiffusionSteps, "schedule.diffusion", error, "one timestep limit, 0 to 999");
            return;
        }
    };
    for (position, step) in document.steps.iter().enumerate() {
        if let Some(expected) = misfit(step.diffusion_steps, limit) {
            let place = format_args!("steps[{position}].diffusion_steps");
            findings.add(Rule::DiffusionSteps, place, step.diffusion_steps, expected);
        }
        if let Some(detail) = step.detail
            && let Some(expected) = misfit(detail.diffusion_steps, limit)
        {
            let place = format_args!("steps[{position}].detail.diffusion_steps");
            findings.add(Rule::Detail, place, detail.diffusion_steps, expected);
        }
    }
}

/// Returns the valid range if `steps` is outside of it.
fn misfit(steps: u64, limit: TimestepLimit) -> Option<String> {
    match diffusion_steps(steps) {
        Err(_) => Some("1 to 1000".to_owned()),
        Ok(steps) => Timesteps::new(steps, limit).err().map(|error| format!("1 to {}", error.max.get() + 1)),
    }
}

/// R13, except for the diffusion steps.
fn detail(document: &PlanDocument, findings: &mut Findings) {
    for (position, step) in document.steps.iter().enumerate() {
        let Some(detail) = step.detail else { continue };
        let role = document.stages.get(count(step.stage)).map(|stage| stage.role);
        if role == Some(Role::Generation) {
            let expected = "none; only reconstruction steps have detail";
            findings.add(
                Rule::Detail,
                format_args!("steps[{position}].detail"),
                "a detail in a generation step",
                expected,
            );
        }
        if !(1..=step.tokens).contains(&detail.tokens) {
            let expected = format_args!("1 to {}, the number of tokens of the step", step.tokens);
            findings.add(Rule::Detail, format_args!("steps[{position}].detail.tokens"), detail.tokens, expected);
        }
    }
}
