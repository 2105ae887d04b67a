//! What a model is told of each AR step of a run.

use super::Settings;
use crate::step_reuse::kept;
use crate::{Plan, StepContext};

impl Settings {
    /// Returns the context of each AR step of a run of `plan`, as [`Batch::run`](super::Batch::run) passes it to the model.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::sampler::Settings;
    /// use gtr_core::{Grid, Guidance, GuidanceSchedule, Registry, Seed, preset};
    ///
    /// let plan = preset::find("gtr-8")?.schedule.plan(Grid::new(16, 16)?, &Registry::builtin())?.plan;
    /// let guidance = Guidance::new(3.0, GuidanceSchedule::Linear)?;
    /// let steps = Settings { seed: Seed(0), guidance, temperature: 1.0 }.contexts(&plan);
    /// assert_eq!(steps.len(), 8);
    /// assert!(steps[0].guidance < steps[7].guidance);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn contexts(&self, plan: &Plan) -> Vec<StepContext> {
        let (tokens, steps) = (plan.grid().tokens(), plan.steps().len());
        let mut known = plan.known().len();
        let mut contexts: Vec<StepContext> = Vec::with_capacity(steps);
        for (index, step) in plan.steps().iter().enumerate() {
            let (strength, cooling) = (step.axes().guidance, step.axes().cooling);
            contexts.push(StepContext {
                index,
                steps,
                role: plan.role(step),
                guidance: self.guidance.in_step(strength, tokens, tokens - known - step.tokens()),
                temperature: cooling.map_or(self.temperature, |fraction| self.temperature * fraction.get()),
                ..StepContext::single(tokens, known)
            });
            known += step.tokens();
        }
        let reuse = plan.reuse(contexts.iter().map(StepContext::is_guided));
        let keeps = kept(&reuse);
        for ((context, &reuse), keeps) in contexts.iter_mut().zip(&reuse).zip(keeps) {
            (context.reuse, context.keeps) = (reuse, keeps);
        }
        contexts
    }
}
