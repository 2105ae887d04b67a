//! Halton order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Order;
use crate::{Component, Error, Grid, Partition, TokenSet};

/// Halton sequence with base 2 for rows and base 3 for columns: a low-discrepancy order, the same for all images.
///
/// Each cell takes the position of its first occurrence in the sequence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Halton {}

impl Component for Halton {
    const KIND: &'static str = "halton";
    const SOURCE: &'static str = "Halton scheduler (arXiv 2503.17076), Halton-MaskGIT Sampler/halton_sampler.py build_halton_mask without its random roll";
}

impl Order for Halton {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let mut seen = TokenSet::empty(grid);
        let mut order = Vec::with_capacity(grid.tokens());
        let mut index = 1;
        while order.len() < grid.tokens() {
            let (row, column) = (cell(index, 2, grid.height()), cell(index, 3, grid.width()));
            if let Some(token) = grid.at(row, column)
                && seen.insert(token)
            {
                order.push(token);
            }
            index += 1;
        }
        Partition::whole(grid, order)
    }
}

/// Returns floor(`side` * radical inverse of `index` in `base`), computed in integers to avoid rounding errors.
#[expect(clippy::cast_possible_truncation, reason = "the quotient is below the side")]
fn cell(mut index: u64, base: u64, side: u32) -> u32 {
    let (mut reversed, mut scale) = (0, 1);
    while index > 0 {
        reversed = reversed * base + index % base;
        scale *= base;
        index /= base;
    }
    (u128::from(reversed) * u128::from(side) / u128::from(scale)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radical_inverses() {
        // 1/2, 1/4, 3/4 of 16 rows and 1/3, 2/3, 1/9 of 16 columns.
        assert_eq!([1, 2, 3].map(|index| cell(index, 2, 16)), [8, 4, 12]);
        assert_eq!([1, 2, 3].map(|index| cell(index, 3, 16)), [5, 10, 1]);
    }

    #[test]
    fn every_cell_is_visited() {
        for (height, width) in [(1, 1), (1, 7), (9, 1), (5, 9), (16, 16)] {
            let grid = Grid::new(height, width).unwrap();
            assert_eq!(Halton {}.partition(grid).unwrap().subsets()[0].len(), grid.tokens());
        }
    }
}
