//! Design: the schedule that loses least.
//!
//! Searched are recursive bisections: both cuts, every number of stages (which says how many of the coarsest levels are drawn
//! together), every order within a stage (above 1024 numbers `lattice` alone, which needs no average), and every way to share the AR steps among the stages. What a stage loses depends on
//! which tokens are known before it, not on how they were drawn. So the best sharing follows from a dynamic programme over the
//! stages, which is exact for each cut, number of stages and order. [`free()`] then moves single tokens between steps, whatever
//! stage they belong to, to show how far the structured optimum is from partitions without structure.

mod evidence;
mod family;
mod free;
mod runs;
mod sharing;
mod structured;
mod swept;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::free::free;
pub use self::structured::structured;
use crate::diffusion::Constant;
use crate::loss::{Field, MeanLoss};
use crate::{ArSteps, Config, DiffusionSteps, Error, Grid, Schedule, Seed, detail};

/// What a schedule is designed for.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The grid.
    pub grid: Grid,
    /// The field that losses are computed on.
    pub field: Field,
    /// Where the orders of the images come from that a random order is averaged over.
    pub seed: Seed,
    /// How many images: 2 or more.
    pub images: u64,
    /// The diffusion steps of the schedule; the loss does not depend on them.
    pub diffusion: Config,
    /// The detail of the schedule; the loss does not depend on it.
    pub detail: Config,
}

impl Problem {
    /// 32 images of seed 0, 20 diffusion steps each AR step, no detail.
    pub fn new(grid: Grid, field: Field) -> Self {
        let diffusion = Constant { t: DiffusionSteps::literal(20) };
        Self { grid, field, seed: Seed(0), images: 32, diffusion: diffusion.into(), detail: detail::None {}.into() }
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
    /// How many schedules it was chosen from; for a free design, how many moves were weighed.
    pub candidates: u64,
    /// The best of each family that takes so many AR steps, least loss first. The first four were averaged over as many images
    /// as the design itself, the others over [`Problem::images`].
    pub families: Vec<Family>,
}

/// The best schedule of a cut, a number of stages and an order within the stages.
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

/// A number of AR steps.
fn ar_steps(steps: usize) -> Result<ArSteps, Error> {
    Ok(ArSteps::new(u32::try_from(steps).unwrap_or(u32::MAX))?)
}
