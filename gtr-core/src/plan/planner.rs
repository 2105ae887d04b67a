//! Planning: from a schedule and a grid to a plan.

use super::{Plan, Stage, Step, count_candidates};
use crate::pace::{StageSize, StageSizes};
use crate::schedule::Resolved;
use crate::{
    AxisName, Error, FitPolicy, Grid, PlanShape, Registry, Role, Schedule, StageOrder, StepAxes, StepShape, Timesteps,
    TokenIndex, TokenSet,
};

/// A plan and the adaptations that it required.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// One line per adaptation: the setting that the grid could not satisfy, and the change.
    pub adaptations: Vec<String>,
}

impl Schedule {
    /// Plans this schedule on a grid. The plan records the schedule with every parameter.
    ///
    /// # Errors
    /// Returns an error if an implementation is not registered, a parameter is invalid, or the grid cannot satisfy an
    /// axis that must not adapt.
    pub fn plan(&self, grid: Grid, registry: &Registry) -> Result<Planned, Error> {
        self.plan_rest(&TokenSet::empty(grid), registry)
    }

    /// Plans this schedule on the unknown tokens of a grid. The stages are those of the whole grid without the known
    /// tokens; steps and detail follow from their sizes.
    ///
    /// # Errors
    /// See [`Schedule::plan`]. Also [`Error::NothingLeft`] if every token is known.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Grid, Registry, TokenSet, preset};
    /// let grid = Grid::new(8, 8)?;
    /// let upper = TokenSet::from_tokens(grid, grid.iter().take(32));
    /// let plan = preset::find("gtr-8")?.schedule.plan_rest(&upper, &Registry::builtin())?.plan;
    /// assert_eq!(plan.known().len(), 32);
    /// assert_eq!(plan.stages().iter().map(|stage| stage.tokens().len()).sum::<usize>(), 32);
    /// # Ok::<(), gtr_core::Error>(())
    /// ```
    pub fn plan_rest(&self, known: &TokenSet, registry: &Registry) -> Result<Planned, Error> {
        let grid = known.grid();
        if known.len() == grid.tokens() {
            return Err(Error::NothingLeft(grid));
        }
        let resolved = self.resolve(registry)?;
        let mut adaptations = Adaptations { allowed: &self.adapt, axes: Vec::new(), notes: Vec::new() };
        let (stages, sizes) = stages(&resolved, known, &mut adaptations)?;
        let mut steps = steps(&resolved, &stages, &sizes, &mut adaptations)?;
        details(&resolved, &stages, &mut steps, &mut adaptations)?;
        let within = resolved.order.1.within();
        count_candidates(within, &stages, &mut steps);
        let shape = |step: &Step| StepShape { stage: step.stage, role: stages[step.stage].role, tokens: step.tokens };
        let shape = PlanShape { tokens: grid.tokens(), known: known.len(), steps: steps.iter().map(shape).collect() };
        steps.iter_mut().zip(resolved.step_axes(&shape)).for_each(|(step, axes)| step.axes = axes);
        cooling(&resolved, &mut steps, &mut adaptations)?;
        for step in &steps {
            Timesteps::new(step.diffusion_steps, resolved.limit)?;
            if let Some(detail) = step.detail {
                Timesteps::new(detail.diffusion_steps, resolved.limit)?;
            }
        }
        let plan = Plan {
            grid,
            known: known.iter().collect(),
            schedule: resolved.canonical(adaptations.axes),
            stages,
            steps,
            within,
            limit: resolved.limit,
        };
        Ok(Planned { plan, adaptations: adaptations.notes })
    }
}

/// Adaptations so far.
struct Adaptations<'a> {
    allowed: &'a [AxisName],
    axes: Vec<AxisName>,
    notes: Vec<String>,
}

impl Adaptations<'_> {
    fn fit(&self, axis: AxisName) -> FitPolicy {
        if self.allowed.contains(&axis) { FitPolicy::lenient(axis) } else { FitPolicy::strict(axis) }
    }

    fn add(&mut self, axis: AxisName, fit: FitPolicy) {
        let notes = fit.into_notes();
        if !notes.is_empty() {
            self.axes.push(axis);
            self.notes.extend(notes);
        }
    }
}

/// Returns the stages that have unknown tokens.
fn stages(
    resolved: &Resolved,
    known: &TokenSet,
    adaptations: &mut Adaptations,
) -> Result<(Vec<Stage>, StageSizes), Error> {
    let mut fit = adaptations.fit(AxisName::Order);
    let grid = known.grid();
    let mut subsets = resolved.order.1.partition(grid)?.into_subsets();
    for subset in &mut subsets {
        subset.retain(|&token| !known.contains(token));
    }
    let asked = subsets.len();
    let empty: Vec<String> =
        (1..).zip(&subsets).filter(|(_, subset)| subset.is_empty()).map(|(number, _)| number.to_string()).collect();
    if !empty.is_empty() {
        let (left, noun) = (asked - empty.len(), crate::plural(empty.len(), "stage"));
        let what = if known.is_empty() { "" } else { "the unknown part of " };
        let what = format!("{what}the grid of {grid} has tokens for {left} of {}", crate::count(asked, "stage"));
        fit.instead(what, &format!("dropping {noun} {}", ranges(&empty)))?;
    }
    let reconstructs = resolved.order.1.reconstructs() && asked - empty.len() > 1;
    let filled: Vec<(usize, Vec<TokenIndex>)> =
        subsets.into_iter().enumerate().filter(|(_, subset)| !subset.is_empty()).collect();
    let sizes = filled.iter().map(|(number, tokens)| StageSize { number: *number, tokens: tokens.len() }).collect();
    let stages = filled.into_iter().map(|(number, tokens)| {
        let role = if reconstructs && number + 1 == asked { Role::Reconstruction } else { Role::Generation };
        Stage { role, tokens }
    });
    let stages = stages.collect();
    adaptations.add(AxisName::Order, fit);
    Ok((stages, StageSizes { asked, stages: sizes }))
}

/// Formats consecutive stage numbers: `2, 3`, or `2 to 5` for more than three numbers.
fn ranges(numbers: &[String]) -> String {
    match numbers {
        [first, .., last] if numbers.len() > 3 => format!("{first} to {last}"),
        _ => numbers.join(", "),
    }
}

/// Returns the AR steps without detail.
fn steps(
    resolved: &Resolved,
    stages: &[Stage],
    sizes: &StageSizes,
    adaptations: &mut Adaptations,
) -> Result<Vec<Step>, Error> {
    let mut fit = adaptations.fit(AxisName::Pace);
    let counts = resolved.pace.1.steps(sizes, &mut fit)?;
    adaptations.add(AxisName::Pace, fit);
    let shapes: Vec<StepShape> = counts
        .iter()
        .zip(stages)
        .enumerate()
        .flat_map(|(stage, (counts, Stage { role, .. }))| {
            counts.iter().map(move |&tokens| StepShape { stage, role: *role, tokens })
        })
        .collect();
    let curve = resolved.diffusion.1.curve(&shapes);
    let step = |(shape, diffusion_steps): (&StepShape, _)| Step {
        stage: shape.stage,
        tokens: shape.tokens,
        candidates: shape.tokens,
        diffusion_steps,
        detail: None,
        axes: StepAxes::default(),
    };
    Ok(shapes.iter().zip(curve).map(step).collect())
}

/// Sets the detail of the reconstruction steps.
fn details(
    resolved: &Resolved,
    stages: &[Stage],
    steps: &mut [Step],
    adaptations: &mut Adaptations,
) -> Result<(), Error> {
    let (config, rule) = &resolved.detail;
    if rule.picks() && stages.iter().all(|stage| stage.role == Role::Generation) {
        let mut fit = adaptations.fit(AxisName::Detail);
        let what = format!("`{}` picks tokens of a reconstruction stage, but the plan has none", config.kind);
        fit.instead(what, "dropping the rule")?;
        adaptations.add(AxisName::Detail, fit);
    }
    for step in steps.iter_mut().filter(|step| stages[step.stage].role == Role::Reconstruction) {
        step.detail = rule.share(step.tokens);
        if step.detail.is_some() && resolved.order.1.within() == StageOrder::Ranked {
            let message =
                format!("`{}` cannot pick tokens of a step whose tokens are decided while sampling", config.kind);
            return Err(Error::DoesNotFit { axis: AxisName::Detail, message });
        }
    }
    Ok(())
}

/// Drops the cooling of a solver that adds no noise, for which a temperature has no meaning.
fn cooling(resolved: &Resolved, steps: &mut [Step], adaptations: &mut Adaptations) -> Result<(), Error> {
    if resolved.solver.1.adds_noise() || steps.iter().all(|step| step.axes.cooling.is_none()) {
        return Ok(());
    }
    let mut fit = adaptations.fit(AxisName::Cooling);
    let (cooling, solver) = (&resolved.cooling.0.kind, &resolved.solver.0.kind);
    let what = format!("`{cooling}` changes the temperature, but the solver `{solver}` adds no noise");
    fit.instead(what, "dropping the cooling")?;
    adaptations.add(AxisName::Cooling, fit);
    for step in steps {
        step.axes.cooling = None;
    }
    Ok(())
}
