//! The rules that a plan equals the output of its schedule.

use super::Findings;
use crate::{DetailDocument, PlanDocument, Registry, Rule, StageDocument, StepAxes, StepDocument, TokenSet, count};

pub(super) fn check(document: &PlanDocument, registry: &Registry, findings: &mut Findings) {
    // Planning takes time in proportion to the grid. A small file with a large grid must not cause that work; other
    // rules report it.
    let Ok(grid) = document.grid.grid() else { return };
    let listed = document.stages.iter().map(|stage| stage.tokens.len()).sum::<usize>() + document.known.len();
    if listed != grid.tokens() {
        return;
    }
    let known = document.known.iter().map(|&token| grid.token(token as usize));
    let Ok(known) = known.collect::<Result<Vec<_>, _>>() else { return };
    match document.schedule.plan_rest(&TokenSet::from_tokens(grid, known), registry) {
        Err(error) => findings.add(Rule::Schedule, "schedule", error, "a schedule that can be planned on this grid"),
        Ok(planned) => {
            let made = planned.plan.to_document();
            stages(&document.stages, &made.stages, findings);
            steps(&document.steps, &made.steps, findings);
        }
    }
}

/// R15.
fn stages(found: &[StageDocument], made: &[StageDocument], findings: &mut Findings) {
    if found.len() != made.len() {
        let (found, made) = (count(found.len(), "stage"), format!("{}, as produced by the order", made.len()));
        findings.add(Rule::OrderProduced, "stages", found, made);
    }
    for (position, (found, made)) in found.iter().zip(made).enumerate() {
        if found.role != made.role {
            let expected = format_args!("{}, as produced by the order", made.role);
            findings.add(Rule::OrderProduced, format_args!("stages[{position}].role"), found.role, expected);
        }
        if found.tokens.len() != made.tokens.len() {
            let expected = format_args!("{}, as produced by the order", made.tokens.len());
            let found = count(found.tokens.len(), "token");
            findings.add(Rule::OrderProduced, format_args!("stages[{position}].tokens"), found, expected);
        }
        let differing = found.tokens.iter().zip(&made.tokens).enumerate().find(|(_, (found, made))| found != made);
        if let Some((token, (found, made))) = differing {
            let place = format_args!("stages[{position}].tokens[{token}]");
            findings.add(Rule::OrderProduced, place, found, format_args!("{made}, as produced by the order"));
        }
    }
}

/// R16 to R19.
fn steps(found: &[StepDocument], made: &[StepDocument], findings: &mut Findings) {
    if found.len() != made.len() {
        let expected = format_args!("{}, as produced by the pace", made.len());
        findings.add(Rule::PaceProduced, "steps", count(found.len(), "step"), expected);
    }
    for (position, (found, made)) in found.iter().zip(made).enumerate() {
        if found.stage != made.stage {
            let expected = format_args!("{}, as produced by the pace", made.stage);
            findings.add(Rule::PaceProduced, format_args!("steps[{position}].stage"), found.stage, expected);
        }
        if found.tokens != made.tokens {
            let expected = format_args!("{}, as produced by the pace", made.tokens);
            findings.add(Rule::PaceProduced, format_args!("steps[{position}].tokens"), found.tokens, expected);
        }
        if found.diffusion_steps != made.diffusion_steps {
            let expected = format_args!("{}, as produced by the diffusion curve", made.diffusion_steps);
            findings.add(
                Rule::DiffusionProduced,
                format_args!("steps[{position}].diffusion_steps"),
                found.diffusion_steps,
                expected,
            );
        }
        if found.detail != made.detail {
            let expected = format_args!("{}, as produced by the detail rule", join_names(made.detail));
            findings.add(
                Rule::DetailProduced,
                format_args!("steps[{position}].detail"),
                join_names(found.detail),
                expected,
            );
        }
        if found.axes != made.axes {
            let text = |axes: &StepAxes| serde_json::to_string(axes).unwrap_or_default();
            let expected = format_args!("{}, as produced by the optional axes", text(&made.axes));
            findings.add(Rule::AxesProduced, format_args!("steps[{position}].axes"), text(&found.axes), expected);
        }
    }
}

fn join_names(detail: Option<DetailDocument>) -> String {
    detail.map_or("none".to_owned(), |it| {
        format!("{} with {}", count(it.tokens, "token"), count(it.diffusion_steps, "diffusion step"))
    })
}
