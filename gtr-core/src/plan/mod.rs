//! The plan: the step at which each token is generated, and the number of diffusion steps.

mod planner;
mod reuse;
mod summary;

use schemars::JsonSchema;
use serde::Serialize;

pub use planner::Planned;
pub use summary::{DetailSummary, StageSummary, Summary};

use crate::detail::DetailShare;
use crate::document::{count, diffusion_steps};
use crate::{
    AxisConfig, DetailDocument, DiffusionSteps, Error, Grid, ImageIndex, PlanDocument, Registry, Role, Schedule, Seed,
    StageDocument, StageOrder, StepAxes, StepDocument, TimestepLimit, Timesteps, TokenIndex,
};

/// A valid plan, created by [`Schedule::plan`] or by [`Plan::from_document`], which reports the axes that it could not
/// check.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
/// let registry = Registry::builtin();
/// let plan = preset::find("gtr-paper")?.schedule.plan(Grid::new(16, 16)?, &registry)?.plan;
/// assert_eq!(plan.stages().iter().map(|stage| stage.tokens().len()).collect::<Vec<_>>(), [64, 64, 128]);
/// assert_eq!(plan.steps().len(), 24 + 6 + 2);
/// let order = plan.order(Seed(0), ImageIndex(7))?;
/// assert_eq!(order.len(), 256);
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(into = "PlanDocument")]
#[schemars(with = "PlanDocument")]
pub struct Plan {
    grid: Grid,
    known: Vec<TokenIndex>,
    schedule: Schedule,
    stages: Vec<Stage>,
    steps: Vec<Step>,
    within: StageOrder,
    limit: TimestepLimit,
}

/// A stage of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    role: Role,
    tokens: Vec<TokenIndex>,
}

impl Stage {
    /// Returns the role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the tokens, at least one, in the order of the plan.
    pub fn tokens(&self) -> &[TokenIndex] {
        &self.tokens
    }
}

/// An AR step of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    stage: usize,
    tokens: usize,
    /// Derived from the stages and steps of the plan.
    candidates: usize,
    diffusion_steps: DiffusionSteps,
    detail: Option<DetailShare>,
    axes: StepAxes,
}

impl Step {
    fn from_document(step: &StepDocument) -> Result<Self, Error> {
        let detail = |detail: &DetailDocument| {
            Ok::<_, Error>(DetailShare {
                tokens: count(detail.tokens),
                diffusion_steps: diffusion_steps(detail.diffusion_steps)?,
            })
        };
        Ok(Self {
            stage: count(step.stage),
            tokens: count(step.tokens),
            candidates: count(step.tokens),
            diffusion_steps: diffusion_steps(step.diffusion_steps)?,
            detail: step.detail.as_ref().map(detail).transpose()?,
            axes: step.axes,
        })
    }

    /// Returns the index of the stage in [`Plan::stages`].
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// Returns the number of tokens that the step generates, at least 1.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Returns the number of tokens that the head draws, at least [`Step::tokens`]. It is greater in a ranked stage, where a
    /// step draws all unknown tokens of the stage.
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// Returns the nominal number of diffusion steps of the tokens; see [`crate::Timesteps`].
    pub fn diffusion_steps(&self) -> DiffusionSteps {
        self.diffusion_steps
    }

    /// Returns the number of picked tokens and their diffusion steps, or `None` if no token is picked.
    pub fn detail(&self) -> Option<DetailShare> {
        self.detail
    }

    /// Returns the data of optional axes.
    pub fn axes(&self) -> &StepAxes {
        &self.axes
    }

    /// Returns the step without the data of optional axes.
    pub(crate) fn without_axes(&self) -> Self {
        Self { axes: StepAxes::default(), ..*self }
    }
}

impl Plan {
    /// Format version of plans that generate the whole grid.
    pub const FORMAT_VERSION: u64 = 1;

    /// Format version of plans with known tokens. The version differs so that readers that support only whole grids
    /// reject these plans.
    pub const FORMAT_VERSION_KNOWN: u64 = 2;

    /// Format version of plans whose schedule sets an optional axis or whose order is decided while sampling, with or
    /// without known tokens.
    pub const FORMAT_VERSION_AXES: u64 = 3;

    /// All format versions.
    pub const FORMAT_VERSIONS: [u64; 3] = [Self::FORMAT_VERSION, Self::FORMAT_VERSION_KNOWN, Self::FORMAT_VERSION_AXES];

    /// Returns the format version of a plan. `whole` means that the plan generates the whole grid.
    pub(crate) fn format_version(schedule: &Schedule, within: StageOrder, whole: bool) -> u64 {
        match whole {
            _ if schedule.sets_optional_axes() || within == StageOrder::Ranked => Self::FORMAT_VERSION_AXES,
            true => Self::FORMAT_VERSION,
            false => Self::FORMAT_VERSION_KNOWN,
        }
    }

    /// Converts a document that satisfies the structural rules.
    pub(crate) fn of_sound(document: &PlanDocument, registry: &Registry) -> Result<Self, Error> {
        let grid = document.grid.grid()?;
        let token = |token: &u32| grid.token(*token as usize).map_err(Error::from);
        let stage = |stage: &StageDocument| {
            Ok(Stage { role: stage.role, tokens: stage.tokens.iter().map(token).collect::<Result<_, Error>>()? })
        };
        let (within, limit) = (document.schedule.within(registry), document.schedule.limit(registry)?);
        let mut steps = document.steps.iter().map(Step::from_document).collect::<Result<Vec<_>, Error>>()?;
        let stages = document.stages.iter().map(stage).collect::<Result<Vec<_>, Error>>()?;
        count_candidates(within, &stages, &mut steps);
        Ok(Self {
            grid,
            known: document.known.iter().map(token).collect::<Result<_, Error>>()?,
            schedule: document.schedule.clone(),
            stages,
            steps,
            within,
            limit,
        })
    }

    /// Converts the plan to a document.
    pub fn to_document(&self) -> PlanDocument {
        let number = |number: usize| number as u64;
        let tokens = |tokens: &[TokenIndex]| tokens.iter().map(|token| token.get()).collect();
        let stage = |stage: &Stage| StageDocument { role: stage.role, tokens: tokens(&stage.tokens) };
        let step = |step: &Step| StepDocument {
            stage: number(step.stage),
            tokens: number(step.tokens),
            diffusion_steps: step.diffusion_steps.get().into(),
            detail: step.detail.map(|detail| DetailDocument {
                tokens: number(detail.tokens),
                diffusion_steps: detail.diffusion_steps.get().into(),
            }),
            axes: step.axes,
        };
        PlanDocument {
            format_version: Self::format_version(&self.schedule, self.within, self.known.is_empty()),
            grid: self.grid.into(),
            known: tokens(&self.known),
            schedule: self.schedule.clone(),
            stages: self.stages.iter().map(stage).collect(),
            steps: self.steps.iter().map(step).collect(),
        }
    }

    /// Returns the grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Returns the tokens that are known before the first step, ascending; empty if the plan generates the whole grid.
    pub fn known(&self) -> &[TokenIndex] {
        &self.known
    }

    /// Returns the schedule from which the plan was created.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns the stages, in generation order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Returns the AR steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the role of the stage of a step.
    pub fn role(&self, step: &Step) -> Role {
        self.stages[step.stage].role
    }

    /// Returns the order of the tokens within a stage.
    pub fn within(&self) -> StageOrder {
        self.within
    }

    /// Returns the timestep limit of the plan.
    pub fn timestep_limit(&self) -> TimestepLimit {
        self.limit
    }

    /// Returns the timestep limit on a model with the limit `model`: the limit of the plan if it sets one, otherwise
    /// `model`.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Grid, Registry, Timestep, TimestepLimit, preset};
    /// let plan = preset::find("gtr-8")?.schedule.plan(Grid::new(8, 8)?, &Registry::builtin())?.plan;
    /// let model = TimestepLimit::Max(Timestep::new(949)?);
    /// assert_eq!(plan.timestep_limit(), TimestepLimit::NONE);
    /// assert_eq!(plan.timestep_limit_on(model), model);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timestep_limit_on(&self, model: TimestepLimit) -> TimestepLimit {
        if self.names_timestep_limit() { self.limit } else { model }
    }

    /// Sets the timestep limit if the plan does not set one. The result is the plan that a model with this limit runs.
    ///
    /// # Errors
    /// [`Error::TooManyDiffusionSteps`] if a step has more diffusion steps than the limit allows; [`Error::Parameter`]
    /// as for [`Schedule::timestep_limit`].
    pub fn with_default_timestep_limit(mut self, limit: TimestepLimit) -> Result<Self, Error> {
        if self.names_timestep_limit() || limit == TimestepLimit::NONE {
            return Ok(self);
        }
        for step in &self.steps {
            let detail = step.detail.map(|detail| detail.diffusion_steps);
            for steps in std::iter::once(step.diffusion_steps).chain(detail) {
                Timesteps::new(steps, limit)?;
            }
        }
        self.schedule.set_default_timestep_limit(limit)?;
        self.limit = limit;
        Ok(self)
    }

    fn names_timestep_limit(&self) -> bool {
        self.limit != TimestepLimit::NONE || !matches!(self.schedule.timestep_limit(), Ok(None))
    }

    /// Returns the configuration of the detail rule.
    pub fn detail(&self) -> &AxisConfig {
        &self.schedule.detail
    }

    /// Returns the generation order of the tokens of an image, a pure function of plan, seed and image. Each step
    /// generates the next tokens of this order. Known tokens are not included.
    ///
    /// # Errors
    /// [`Error::Ranked`] if the order is decided while sampling.
    pub fn order(&self, seed: Seed, image: ImageIndex) -> Result<Vec<TokenIndex>, Error> {
        if self.is_ranked() {
            return Err(Error::Ranked);
        }
        Ok(self.order_under(|_| seed, image))
    }

    /// Returns true if the order within the stages is decided while sampling.
    pub fn is_ranked(&self) -> bool {
        self.within == StageOrder::Ranked
    }

    /// Like [`Plan::order`], with a separate seed per role. The tokens of ranked stages are in ascending order.
    pub(crate) fn order_under(&self, seed: impl Fn(Role) -> Seed, image: ImageIndex) -> Vec<TokenIndex> {
        let mut order = self.known.clone();
        order.reserve(self.grid.tokens() - order.len());
        for (position, stage) in self.stages.iter().enumerate() {
            let key = (seed(stage.role), image, position);
            let arranged = self.within.arrange(self.grid, key, &order, &stage.tokens);
            order.extend(arranged);
        }
        order.split_off(self.known.len())
    }
}

/// Sets the number of tokens that each step draws.
fn count_candidates(within: StageOrder, stages: &[Stage], steps: &mut [Step]) {
    let mut unknown: Vec<usize> = stages.iter().map(|stage| stage.tokens.len()).collect();
    for step in steps {
        let unknown = &mut unknown[step.stage];
        step.candidates = if within == StageOrder::Ranked { step.tokens.max(*unknown) } else { step.tokens };
        *unknown = unknown.saturating_sub(step.tokens);
    }
}

impl From<Plan> for PlanDocument {
    fn from(plan: Plan) -> Self {
        plan.to_document()
    }
}
