//! The plan: which tokens are generated when, and with how much computation.

mod planner;
mod summary;

use schemars::JsonSchema;
use serde::Serialize;

pub use planner::Planned;
pub use summary::{DetailSummary, StageSummary, Summary};

use crate::detail::DetailShare;
use crate::document::{count, diffusion_steps};
use crate::{
    AxisConfig, DetailDocument, DiffusionSteps, Error, Grid, ImageIndex, PlanDocument, Registry, Role, Schedule, Seed,
    StageDocument, StepDocument, TimestepLimit, Timesteps, TokenIndex, StageOrder,
};

/// A sound plan. It is made by [`Schedule::plan`], or by [`Plan::from_document`], which says how far it could check.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
/// let registry = Registry::builtin();
/// let plan = preset::find("gtr-paper")?.schedule.plan(Grid::new(16, 16)?, &registry)?.plan;
/// assert_eq!(plan.stages().iter().map(|stage| stage.tokens().len()).collect::<Vec<_>>(), [64, 64, 128]);
/// assert_eq!(plan.steps().len(), 24 + 6 + 2);
/// let order = plan.order(Seed(0), ImageIndex(7));
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
    /// What the stage is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its tokens, at least one, as the plan lists them.
    pub fn tokens(&self) -> &[TokenIndex] {
        &self.tokens
    }
}

/// An AR step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    stage: usize,
    tokens: usize,
    diffusion_steps: DiffusionSteps,
    detail: Option<DetailShare>,
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
            diffusion_steps: diffusion_steps(step.diffusion_steps)?,
            detail: step.detail.as_ref().map(detail).transpose()?,
        })
    }

    /// Position of its stage.
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// How many tokens it generates, at least one.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Diffusion steps of its tokens; nominal, see [`crate::Timesteps`].
    pub fn diffusion_steps(&self) -> DiffusionSteps {
        self.diffusion_steps
    }

    /// The tokens that get more.
    pub fn detail(&self) -> Option<DetailShare> {
        self.detail
    }
}

impl Plan {
    /// The version of the plan format of a plan that generates the whole grid.
    pub const FORMAT_VERSION: u64 = 1;

    /// The version of a plan in which tokens are known before the first step: readers that know only the whole grid must
    /// not take it for theirs.
    pub const FORMAT_VERSION_KNOWN: u64 = 2;

    /// The version of a plan, by whether it generates the whole grid.
    pub(crate) fn format_version(whole: bool) -> u64 {
        if whole { Self::FORMAT_VERSION } else { Self::FORMAT_VERSION_KNOWN }
    }

    /// The plan of a document whose structure was checked.
    pub(crate) fn of_sound(document: &PlanDocument, registry: &Registry) -> Result<Self, Error> {
        let grid = document.grid.grid()?;
        let token = |token: &u32| grid.token(*token as usize).map_err(Error::from);
        let stage = |stage: &StageDocument| {
            Ok(Stage { role: stage.role, tokens: stage.tokens.iter().map(token).collect::<Result<_, Error>>()? })
        };
        Ok(Self {
            grid,
            known: document.known.iter().map(token).collect::<Result<_, Error>>()?,
            schedule: document.schedule.clone(),
            stages: document.stages.iter().map(stage).collect::<Result<_, Error>>()?,
            steps: document.steps.iter().map(Step::from_document).collect::<Result<_, Error>>()?,
            within: document.schedule.within(registry),
            limit: document.schedule.limit(registry)?,
        })
    }

    /// The plan as a document.
    pub fn to_document(&self) -> PlanDocument {
        let number = |number: usize| number as u64;
        #[expect(clippy::cast_possible_truncation, reason = "tokens are below 2^24")]
        let tokens = |tokens: &[TokenIndex]| tokens.iter().map(|token| token.get() as u32).collect();
        let stage = |stage: &Stage| StageDocument { role: stage.role, tokens: tokens(&stage.tokens) };
        let step = |step: &Step| StepDocument {
            stage: number(step.stage),
            tokens: number(step.tokens),
            diffusion_steps: step.diffusion_steps.get().into(),
            detail: step.detail.map(|detail| DetailDocument {
                tokens: number(detail.tokens),
                diffusion_steps: detail.diffusion_steps.get().into(),
            }),
        };
        PlanDocument {
            format_version: Self::format_version(self.known.is_empty()),
            grid: self.grid.into(),
            known: tokens(&self.known),
            schedule: self.schedule.clone(),
            stages: self.stages.iter().map(stage).collect(),
            steps: self.steps.iter().map(step).collect(),
        }
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The tokens that are known before the first step, ascending: none, unless the plan is for the rest of an image.
    pub fn known(&self) -> &[TokenIndex] {
        &self.known
    }

    /// The schedule that the plan came from.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The stages, in the order in which they are generated.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The AR steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The role of a step's stage.
    pub fn role(&self, step: &Step) -> Role {
        self.stages[step.stage].role
    }

    /// The order of the tokens within a stage.
    pub fn within(&self) -> StageOrder {
        self.within
    }

    /// The upper end of the timesteps.
    pub fn timestep_limit(&self) -> TimestepLimit {
        self.limit
    }

    /// The upper end of the timesteps on a model whose head was trained to be used up to `model`: the plan's own limit where it
    /// names one, the model's otherwise.
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

    /// The plan with this limit of timesteps written out, unless it names one itself: what a model with this limit runs.
    ///
    /// # Errors
    /// [`Error::Parameter`] or [`Error::TooManyDiffusionSteps`] if a step has more diffusion steps than lie below the limit.
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

    /// The configuration of the detail rule.
    pub fn detail(&self) -> &AxisConfig {
        &self.schedule.detail
    }

    /// The order in which the tokens of an image are generated: a pure function of plan, seed and image. The first step
    /// takes its number of tokens from the front, the next one those that follow, and so on. Tokens that are known from the
    /// start are not in it.
    pub fn order(&self, seed: Seed, image: ImageIndex) -> Vec<TokenIndex> {
        self.order_under(|_| seed, image)
    }

    /// As [`Plan::order`], each stage under the seed of its role.
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

impl From<Plan> for PlanDocument {
    fn from(plan: Plan) -> Self {
        plan.to_document()
    }
}
