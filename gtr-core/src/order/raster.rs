//! Raster order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Order;
use crate::{Component, Error, Grid, Partition};

/// Row by row from top to bottom, each row left to right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Raster {}

impl Component for Raster {
    const KIND: &'static str = "raster";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), table 5";
}

impl Order for Raster {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        Partition::whole(grid, grid.iter().collect())
    }
}
