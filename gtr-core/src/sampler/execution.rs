//! What a run executes.

use super::{Sampler, Settings};
use crate::{
    AxisConfig, AxisName, Grid, Plan, Schedule, Stage, StageOrder, Step, StepAxes, StepContext, TimestepLimit,
    TokenIndex,
};

/// What a run executes: a plan with its settings, without the parts that have no effect.
///
/// Runs with equal executions and the same seed generate the same images, even if their plans differ: for example in the
/// guidance curve, if the scale is 1.
///
/// # Examples
/// ```
/// use gtr_core::sampler::{Execution, Settings};
/// use gtr_core::{AxisConfig, AxisName, Error, Grid, Guidance, GuidanceSchedule, Registry, Sampler, Seed, preset};
///
/// let execution = |curve: &str, guidance: Guidance| -> Result<Execution, Error> {
///     let mut schedule = preset::find("mar-8")?.schedule.clone();
///     schedule.set_axis(AxisName::Guidance, AxisConfig::new(curve));
///     let registry = Registry::builtin();
///     let plan = schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
///     Ok(Sampler::new(&plan, &registry)?.execution(&Settings { seed: Seed(0), guidance, temperature: 1.0 }))
/// };
/// let linear = Guidance::new(3.0, GuidanceSchedule::Linear)?;
/// assert_ne!(execution("model", linear)?, execution("interval", linear)?);
/// assert_eq!(execution("model", linear)?, execution("linear", linear)?);
/// assert_eq!(execution("model", Guidance::NONE)?, execution("interval", Guidance::NONE)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    grid: Grid,
    known: Vec<TokenIndex>,
    stages: Vec<Stage>,
    within: StageOrder,
    choice_temperature: f64,
    /// The steps, without the data of optional axes.
    steps: Vec<Step>,
    contexts: Vec<StepContext>,
    /// The limit, and whether the schedule sets it.
    limit: (TimestepLimit, bool),
    /// Detail rule, if it picks tokens, and the optional axes whose effect is not in the steps.
    configs: Vec<(AxisName, AxisConfig)>,
}

impl Sampler<'_> {
    /// Returns what a run with these settings executes. It does not depend on the seed.
    pub fn execution(&self, settings: &Settings) -> Execution {
        let plan = self.plan;
        Execution {
            grid: plan.grid(),
            known: plan.known().to_vec(),
            stages: plan.stages().to_vec(),
            within: plan.within(),
            choice_temperature: self.choice_temperature,
            steps: plan.steps().iter().map(Step::without_axes).collect(),
            contexts: settings.contexts(plan),
            limit: (plan.timestep_limit(), sets_limit(plan.schedule())),
            configs: configs(plan),
        }
    }
}

fn sets_limit(schedule: &Schedule) -> bool {
    !matches!(schedule.timestep_limit(), Ok(None))
}

/// Returns the configurations that a run uses beside stages and steps.
fn configs(plan: &Plan) -> Vec<(AxisName, AxisConfig)> {
    let picks = plan.steps().iter().any(|step| step.detail().is_some());
    let used = |axis: AxisName| match axis {
        AxisName::Detail => picks,
        axis => axis.default_kind().is_some() && !StepAxes::AXES.contains(&axis),
    };
    let config = |axis| (axis, plan.schedule().axis(axis).clone());
    AxisName::ALL.into_iter().filter(|&axis| used(axis)).map(config).collect()
}
