//! Order: in which order, and in which stages, are tokens generated?

mod farthest;
mod lattice;
mod within;

use std::fmt::Debug;

pub use within::Within;

use crate::component::implementations;
use crate::{Error, Grid, Partition};

/// Cuts a grid into stages.
///
/// # For implementors
/// The partition depends on the grid and the parameters alone. A subset lists its tokens ascending where the order within
/// it is drawn by seed, in generation order where it is [`Within::Listed`].
///
/// Whoever reads the plan elsewhere may not have this implementation: an order whose [`Order::within`] is not `Listed`
/// says so in a parameter called `within`.
pub trait Order: Debug + Send + Sync {
    /// The stages, first to last. A subset may be empty where the grid leaves nothing for it: planning drops it, or
    /// refuses, as the schedule says.
    ///
    /// # Errors
    /// A grid that this order cannot cut as its parameters ask.
    fn partition(&self, grid: Grid) -> Result<Partition, Error>;

    /// Whether the last of two or more stages reconstructs, rather than generates.
    fn reconstructs(&self) -> bool {
        false
    }

    /// The order of the tokens within a stage.
    fn within(&self) -> Within {
        Within::Listed
    }
}

implementations! { Order:
    bisection::Bisection,
    block::Block,
    halton::Halton,
    levels::Levels,
    random::Random,
    raster::Raster,
    subsample::Subsample,
}

pub use bisection::{Cut, Parity, Stages};
