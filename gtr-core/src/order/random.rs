//! Random order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Order, StageOrder};
use crate::{Component, Error, Grid, Partition};

/// Random permutation of all tokens, different for each image: the order that masked autoregressive models are trained
/// on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Random {}

impl Component for Random {
    const KIND: &'static str = "random";
    const SOURCE: &'static str = "MAR (arXiv 2406.11838); GtR (arXiv 2510.17171), table 5";
}

impl Order for Random {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        Partition::whole(grid, grid.iter().collect())
    }

    fn within(&self) -> StageOrder {
        StageOrder::Random
    }
}
