//! Levels that are written out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Order, Within};
use crate::{Component, Error, Grid, Partition, TokenIndex};

/// Stages that the schedule writes out, cell by cell, as a pattern that is repeated over the grid.
///
/// The pattern may be as large as the grid, so that any partition can be written. A grid that is smaller than the pattern
/// takes its top left corner, which may leave stages empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// Rows of the pattern, all of the same length: the stage of each cell, counted from 0 without a gap.
    pub rows: Vec<Vec<u16>>,
    /// Order of the tokens within a stage: `random`, `farthest` or `lattice`.
    pub within: Within,
}

/// The most cells and rows of a pattern. The configuration of an axis may hold 4096 values.
const MOST: usize = 4000;

impl Levels {
    /// Number of stages.
    fn stages(&self) -> usize {
        self.rows.iter().flatten().max().map_or(0, |&last| usize::from(last) + 1)
    }
}

/// Four stages of two by two cells, the second diagonal to the first.
impl Default for Levels {
    fn default() -> Self {
        Self { rows: vec![vec![0, 2], vec![3, 1]], within: Within::Random }
    }
}

impl Component for Levels {
    const KIND: &'static str = "levels";
    const SOURCE: &'static str = "ours";

    fn check(&self) -> Result<(), String> {
        let width = self.rows.first().map_or(0, Vec::len);
        if width == 0 {
            return Err("`rows` is empty: give at least one row of one stage".to_owned());
        }
        if let Some(row) = self.rows.iter().position(|row| row.len() != width) {
            return Err(format!("row {row} of `rows` has {} stages, the first has {width}", self.rows[row].len()));
        }
        if self.rows.len() * (width + 1) > MOST {
            return Err(format!("`rows` has {}x{width} stages: at most {MOST} cells and rows", self.rows.len()));
        }
        let mut met = vec![false; self.stages()];
        for &stage in self.rows.iter().flatten() {
            met[usize::from(stage)] = true;
        }
        match met.iter().position(|met| !met) {
            Some(stage) => Err(format!("`rows` has no stage {stage}: number the stages from 0 without a gap")),
            None => Ok(()),
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let line = Self { rows: vec![vec![0, 2, 1, 2]], within: Within::Farthest };
        vec![("default", Self::default()), ("columns", line)]
    }

    #[cfg(any(test, feature = "testing"))]
    fn arbitrary() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::prelude::*;
        let within = prop_oneof![Just(Within::Random), Just(Within::Farthest), Just(Within::Lattice)];
        let cells = (1..5usize, 1..5usize)
            .prop_flat_map(|(height, width)| (prop::collection::vec(0..4u16, height * width), Just(width)));
        (cells, within)
            .prop_map(|((cells, width), within)| {
                let mut used: Vec<u16> = cells.clone();
                used.sort_unstable();
                used.dedup();
                let rank = |stage: &u16| used.iter().zip(0..).find(|(used, _)| *used == stage).map_or(0, |(_, rank)| rank);
                let rows = cells.chunks(width).map(|row| row.iter().map(rank).collect()).collect();
                Self { rows, within }
            })
            .boxed()
    }
}

impl Order for Levels {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let mut stages: Vec<Vec<TokenIndex>> = vec![Vec::new(); self.stages()];
        for token in grid.iter() {
            let position = grid.position(token);
            let row = &self.rows[position.row as usize % self.rows.len()];
            stages[usize::from(row[position.column as usize % row.len()])].push(token);
        }
        Partition::new(grid, stages)
    }

    fn reconstructs(&self) -> bool {
        true
    }

    fn within(&self) -> Within {
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(rows: Vec<Vec<u16>>, grid: Grid) -> Vec<Vec<usize>> {
        let levels = Levels { rows, ..Levels::default() };
        levels.check().unwrap();
        let subsets = levels.partition(grid).unwrap().into_subsets();
        subsets.iter().map(|subset| subset.iter().map(|token| token.get()).collect()).collect()
    }

    #[test]
    fn the_pattern_is_repeated_and_cut_off() {
        let grid = |height, width| Grid::new(height, width).unwrap();
        assert_eq!(stages(vec![vec![1, 0], vec![0, 2]], grid(2, 3)), [vec![1, 3, 5], vec![0, 2], vec![4]]);
        assert_eq!(stages(vec![vec![1, 0], vec![0, 2]], grid(1, 2)), [vec![1], vec![0], vec![]]);
    }

    #[test]
    fn wrong_patterns_are_refused() {
        let refused = |rows: Vec<Vec<u16>>| Levels { rows, ..Levels::default() }.check().unwrap_err();
        assert!(refused(vec![]).contains("at least one row"));
        assert!(refused(vec![vec![]]).contains("at least one row"));
        assert_eq!(refused(vec![vec![0, 1], vec![0]]), "row 1 of `rows` has 1 stages, the first has 2");
        assert_eq!(refused(vec![vec![0, 2]]), "`rows` has no stage 1: number the stages from 0 without a gap");
        assert!(refused(vec![vec![0; 64]; 64]).contains("64x64 stages: at most 4000"));
    }
}
