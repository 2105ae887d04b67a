//! Subsample order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Order;
use crate::{Component, Error, Grid, Partition, TokenIndex};

/// Interleaved raster order of the four quadrants: one token each of the top left, top right, bottom left and bottom
/// right in turn.
///
/// The quadrants are divided at half the height and half the width, rounded down. A quadrant without remaining tokens
/// is skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subsample {}

impl Component for Subsample {
    const KIND: &'static str = "subsample";
    const SOURCE: &'static str =
        "GtR (arXiv 2510.17171), table 5, which only says \"4-quadrant raster\"; this interpretation is ours";
}

impl Order for Subsample {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let (middle_row, middle_column) = (grid.height() / 2, grid.width() / 2);
        let mut quadrants: [Vec<TokenIndex>; 4] = Default::default();
        for token in grid.iter() {
            let at = grid.position(token);
            let quadrant = 2 * usize::from(at.row >= middle_row) + usize::from(at.column >= middle_column);
            quadrants[quadrant].push(token);
        }
        let longest = quadrants.iter().map(Vec::len).max().unwrap_or(0);
        let turns =
            (0..longest).flat_map(|turn| quadrants.iter().filter_map(move |quadrant| quadrant.get(turn).copied()));
        Partition::whole(grid, turns.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(height: u32, width: u32) -> Vec<usize> {
        let partition = Subsample {}.partition(Grid::new(height, width).unwrap()).unwrap();
        partition.subsets()[0].iter().map(|token| token.index()).collect()
    }

    #[test]
    fn quadrants_take_turns() {
        assert_eq!(order(4, 4), [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]);
    }

    #[test]
    fn exhausted_quadrants_are_skipped() {
        // Cut at row 1 and column 1: quadrants of 1, 2, 2 and 4 tokens.
        assert_eq!(order(3, 3), [0, 1, 3, 4, 2, 6, 5, 7, 8]);
        assert_eq!(order(1, 3), [0, 1, 2]);
    }
}
