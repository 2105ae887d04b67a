//! The order axis: the order, and the stages, in which tokens are generated.

mod farthest;
mod lattice;
mod stage_order;

use std::fmt::Debug;

pub use stage_order::StageOrder;

use crate::component::implementations;
use crate::{Error, Grid, Partition};

/// Divides a grid into stages.
///
/// # For implementors
/// The partition must depend only on the grid and the parameters. Each subset lists its tokens in generation order if
/// the order within stages is [`StageOrder::Listed`], and in ascending order otherwise.
///
/// A plan may be read by a program that does not have this implementation. An order whose [`Order::within`] is not
/// `Listed` must therefore state it in a parameter called `within`.
pub trait Order: Debug + Send + Sync {
    /// Returns the stages, first to last. A subset is empty if the grid is too small for it; planning then drops the
    /// stage or fails, depending on [`Schedule::adapt`](crate::Schedule::adapt).
    ///
    /// # Errors
    /// Returns an error if the grid cannot be divided as the parameters require.
    fn partition(&self, grid: Grid) -> Result<Partition, Error>;

    /// Returns the number of stages of [`Order::partition`] on any grid, including empty ones. Paces with one value per
    /// stage are fitted to it.
    fn stage_count(&self) -> usize {
        1
    }

    /// Returns true if the last of two or more stages is a reconstruction stage.
    fn reconstructs(&self) -> bool {
        false
    }

    /// Returns the order of the tokens within a stage.
    fn within(&self) -> StageOrder {
        StageOrder::Listed
    }

    /// Returns the choice temperature of an order that is decided while sampling ([`StageOrder::Ranked`]), 0 to 100: in
    /// AR step s of S, the sampling loop adds this value times 1 - (s + 1) / S times Gumbel noise to the confidence of a
    /// token. Other orders have no use for it.
    fn choice_temperature(&self) -> f64 {
        0.0
    }
}

implementations! { Order:
    bisection::Bisection,
    block::Block,
    halton::Halton,
    levels::Levels,
    random::Random,
    ranked::Ranked,
    raster::Raster,
    subsample::Subsample,
}

pub use bisection::{Cut, Parity, Stages};
