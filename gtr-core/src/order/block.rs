//! Contiguous blocks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bisection::Stages;
use super::{Order, StageOrder};
use crate::{Component, Error, Grid, Partition, TokenIndex};

/// Contiguous blocks from top to bottom: each cut assigns the lower half of the remaining tokens to a later stage.
///
/// The stages have the same sizes as those of `bisection`, so the same paces fit. The reconstruction is the lower half
/// of the image: when it starts, only the tokens at its upper edge have known neighbours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Block {
    /// Number of stages, 1 to 64. With two or more, the last stage is the reconstruction.
    pub stages: Stages,
    /// Order of the tokens within a stage: `random`, `farthest` or `lattice`.
    pub within: StageOrder,
}

impl Component for Block {
    const KIND: &'static str = "block";
    const SOURCE: &'static str =
        "GtR (arXiv 2510.17171), figure 3, as the opposite of a checkerboard; cuts beyond the first are ours";
}

impl Order for Block {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let mut rest: Vec<TokenIndex> = grid.iter().collect();
        let mut later = Vec::new();
        for _ in 1..self.stages.get() {
            later.push(rest.split_off(rest.len().div_ceil(2)));
        }
        Partition::new(grid, std::iter::once(rest).chain(later.into_iter().rev()).collect())
    }

    fn stage_count(&self) -> usize {
        self.stages.get() as usize
    }

    fn reconstructs(&self) -> bool {
        true
    }

    fn within(&self) -> StageOrder {
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subsets(stages: u32, grid: Grid) -> Vec<Vec<usize>> {
        let block = Block { stages: Stages::new(stages).unwrap(), ..Block::default() };
        let subsets = block.partition(grid).unwrap().into_subsets();
        subsets.iter().map(|subset| subset.iter().map(|token| token.index()).collect()).collect()
    }

    #[test]
    fn the_lower_half_is_cut_off_first() {
        let grid = Grid::new(4, 4).unwrap();
        assert_eq!(subsets(3, grid), [(0..4).collect(), (4..8).collect(), (8..16).collect::<Vec<_>>()]);
        assert_eq!(subsets(1, grid), [(0..16).collect::<Vec<_>>()]);
    }

    #[test]
    fn stages_are_as_large_as_those_of_the_checkerboard() {
        use super::super::bisection::Bisection;
        for (height, width) in [(8, 8), (5, 9), (7, 7), (1, 1), (16, 16)] {
            let grid = Grid::new(height, width).unwrap();
            let stages = Stages::new(2).unwrap();
            let bisection = Bisection { stages, ..Bisection::default() }.partition(grid).unwrap();
            let sizes: Vec<usize> = bisection.subsets().iter().map(Vec::len).collect();
            assert_eq!(subsets(2, grid).iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{grid}");
        }
    }
}
