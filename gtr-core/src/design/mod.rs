//! Design: the schedule that loses least.
//!
//! Searched are recursive bisections: both cuts, every number of levels, both orders within a stage, and every way to share the
//! AR steps among the stages. What a stage loses depends on which tokens are known before it, not on how they were
//! drawn, so the best sharing follows from a dynamic programme over the stages: it is exact for each cut, number of levels and
//! order. [`free`] then moves single tokens between steps, whatever stage they belong to, to show how far the structured
//! optimum is from partitions without structure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::loss::{Field, MeanLoss};
use crate::{ArSteps, Config, Error, Grid, Schedule, Seed};

/// What a schedule is designed for.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The grid.
    pub grid: Grid,
    /// The field that losses are computed on.
    pub field: Field,
    /// Where the orders of the images come from that a random order is averaged over.
    pub seed: Seed,
    /// How many images: 1 or more.
    pub images: u64,
    /// The diffusion steps of the schedule; the loss does not depend on them.
    pub diffusion: Config,
    /// The detail of the schedule; the loss does not depend on it.
    pub detail: Config,
}

impl Problem {
    /// 16 images of seed 0, 20 diffusion steps each AR step, no detail.
    pub fn new(grid: Grid, field: Field) -> Self {
        let (diffusion, detail) = (Config::new("constant").with("steps", 20), Config::new("none"));
        Self { grid, field, seed: Seed(0), images: 16, diffusion, detail }
    }
}

/// What is asked of a design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The least loss at this number of AR steps.
    ArSteps(ArSteps),
    /// The fewest AR steps that lose at most this many nats.
    Loss(f64),
}

/// A schedule that was designed, with what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Design {
    /// The schedule.
    pub schedule: Schedule,
    /// Its AR steps on the grid.
    pub ar_steps: ArSteps,
    /// What it loses.
    pub loss: MeanLoss,
    /// The field that it was designed on.
    pub field: String,
    /// Pairs of a family (cut, levels, order within the stages) and a sharing of steps that it beats; for a free design, the
    /// moves that were tried.
    pub candidates: u64,
    /// The best of each family that can meet the goal, least loss first.
    pub families: Vec<Family>,
}

/// The best schedule of a cut, a number of levels and an order within the stages.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Family {
    /// The order.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub order: Config,
    /// AR steps of each stage.
    pub steps: Vec<usize>,
    /// What it loses on average, in nats.
    pub loss: f64,
}

/// The schedule of least loss among all recursive bisections.
///
/// # Errors
/// [`Error::Field`] as for a loss; [`Error::Design`] if the goal cannot be met on this grid.
pub fn structured(problem: &Problem, goal: Goal) -> Result<Design, Error> {
    todo!()
}

/// Improves the steps of a design token by token, in at most `rounds` rounds over the grid, until no move of one token to another
/// step and no exchange of two lowers the loss. The result is a schedule whose order is `listed`.
///
/// # Errors
/// As [`structured`].
pub fn free(problem: &Problem, design: &Design, rounds: usize) -> Result<Design, Error> {
    todo!()
}
