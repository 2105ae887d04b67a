//! What optional axes add to the AR steps of a plan.

use gtr_core::{Guidance, GuidanceSchedule, Plan};

/// Returns the strength of guidance in each AR step, 0 to 1: that of the plan, or the linear course of MAR if the plan leaves
/// it to the model.
pub fn strengths(plan: &Plan) -> Vec<f64> {
    // With scale 2, the part of a scale above 1 is the strength.
    let Ok(linear) = Guidance::new(2.0, GuidanceSchedule::Linear) else { return Vec::new() };
    let tokens = plan.grid().tokens();
    let mut known = plan.known().len();
    let steps = plan.steps().iter().map(|step| {
        known += step.tokens();
        linear.in_step(step.axes().guidance, tokens, tokens - known) - 1.0
    });
    steps.collect()
}

/// Returns, for each AR step, whether it computes the whole transformer in a guided run; `None` if the plan does not reuse
/// results of earlier steps.
pub fn complete_steps(plan: &Plan) -> Option<Vec<bool>> {
    plan.steps().iter().find_map(|step| step.axes().reuse)?;
    let guided = strengths(plan).into_iter().map(|strength| strength > 0.0);
    Some(plan.reuse(guided).into_iter().map(|reuse| reuse.is_none_or(|reuse| reuse.cached.is_none())).collect())
}
