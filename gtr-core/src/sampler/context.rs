//! What a model is told of each AR step of a run.

use super::Settings;
use crate::{Plan, StepContext};

/// Returns the context of each AR step.
pub(super) fn contexts(plan: &Plan, settings: &Settings) -> Vec<StepContext> {
    let (tokens, steps) = (plan.grid().tokens(), plan.steps().len());
    let mut known = plan.known().len();
    let mut contexts: Vec<StepContext> = Vec::with_capacity(steps);
    for (index, step) in plan.steps().iter().enumerate() {
        let strength = step.axes().guidance;
        let guidance = settings.guidance.in_step(strength, tokens, tokens - known - step.tokens());
        contexts.push(StepContext {
            index,
            steps,
            tokens,
            known,
            role: plan.role(step),
            guidance,
            temperature: settings.temperature,
            reuse: None,
        });
        known += step.tokens();
    }
    let reuse = plan.reuse(contexts.iter().map(StepContext::is_guided));
    contexts.iter_mut().zip(reuse).for_each(|(context, reuse)| context.reuse = reuse);
    contexts
}
