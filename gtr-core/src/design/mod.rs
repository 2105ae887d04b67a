//! Design of the schedule with the lowest loss.
//!
//! [`structured()`] searches recursive bisections: both cuts, every number of stages, every order within a stage (only
//! `lattice`, which needs no averaging, above 1024 values), and every division of the AR steps among the stages. The
//! loss of a stage depends on the tokens known before it, but not on how they were sampled. Dynamic programming over
//! the stages therefore finds the optimal division for each cut, number of stages and order. [`free()`] then moves
//! single tokens between steps of any stage, to show how far the structured optimum is from unstructured partitions.

mod evidence;
mod family;
mod free;
mod runs;
mod sharing;
mod structured;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::free::free;
pub use self::structured::structured;
use crate::diffusion::Constant;
use crate::loss::{Field, MeanLoss};
use crate::{ArSteps, AxisConfig, DiffusionSteps, Error, Grid, Schedule, Seed, detail};

/// Input of a design: grid, field, and the fixed parts of the schedule.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The grid.
    pub grid: Grid,
    /// Field on which losses are computed.
    pub field: Field,
    /// Seed of the images over which random orders are averaged.
    pub seed: Seed,
    /// Number of images over which random orders are averaged, at least 2.
    pub images: u64,
    /// Diffusion axis of the schedule; it does not affect the loss.
    pub diffusion: AxisConfig,
    /// Detail axis of the schedule; it does not affect the loss.
    pub detail: AxisConfig,
}

impl Problem {
    /// Creates a problem with 32 images of seed 0, 20 diffusion steps per AR step, and no detail.
    pub fn new(grid: Grid, field: Field) -> Self {
        let diffusion = Constant { t: DiffusionSteps::literal(20) };
        Self { grid, field, seed: Seed(0), images: 32, diffusion: diffusion.into(), detail: detail::None {}.into() }
    }
}

/// Goal of a design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The lowest loss with this number of AR steps.
    ArSteps(ArSteps),
    /// The fewest AR steps with at most this loss, in nats.
    Loss(f64),
}

/// Result of a design: a schedule and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Design {
    /// The schedule.
    pub schedule: Schedule,
    /// Number of AR steps on the grid of the problem.
    pub ar_steps: ArSteps,
    /// Loss of the schedule.
    pub loss: MeanLoss,
    /// Field of the problem, in its text form.
    pub field: String,
    /// Number of schedules compared; for [`free()`], the number of moves evaluated.
    pub candidates: u64,
    /// The best schedule of each family with `ar_steps` AR steps, lowest loss first. The first four are averaged over
    /// as many images as `loss`, the others over [`Problem::images`].
    pub families: Vec<Family>,
}

/// Best schedule of a family: a cut, a number of stages and an order within the stages.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Family {
    /// Configuration of the order axis.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub order: AxisConfig,
    /// Number of AR steps of each stage.
    pub steps: Vec<usize>,
    /// Mean loss in nats.
    pub loss: f64,
}

/// Converts a number of AR steps.
fn ar_steps(steps: usize) -> Result<ArSteps, Error> {
    Ok(ArSteps::new(u32::try_from(steps).unwrap_or(u32::MAX))?)
}
