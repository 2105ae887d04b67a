//! Stages given cell by cell.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Order, StageOrder};
use crate::{Component, Error, Grid, Partition, TokenIndex};

/// Stages given cell by cell, as a pattern of letters that repeats over the grid.
///
/// A pattern as large as the grid can express any partition. A grid smaller than the pattern uses the top left corner
/// of the pattern, which may leave stages empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// Rows of the pattern, all of the same length, one letter per cell: `a` is stage 1, `z` stage 26, `A` stage 27 and
    /// `Z` stage 52, the maximum. Every stage up to the highest one used must occur.
    pub rows: Vec<String>,
    /// Order of the tokens within a stage: `random`, `farthest` or `lattice`.
    pub within: StageOrder,
}

/// Maximum number of rows of a pattern; the configuration of an axis is limited to 4096 values.
const MOST_ROWS: usize = 4000;

/// Letters of the stages, first to last.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Levels {
    /// Maximum number of stages, one per letter.
    pub const MOST_STAGES: usize = LETTERS.len();

    /// Returns the letter of a stage, counted from 0.
    pub(crate) fn letter(stage: usize) -> Option<char> {
        LETTERS.get(stage).map(|&letter| char::from(letter))
    }

    /// Returns the stage of a letter, counted from 0.
    fn stage(letter: u8) -> Option<usize> {
        LETTERS.iter().position(|&other| other == letter)
    }

    /// Returns the number of stages.
    fn stages(&self) -> usize {
        let letters = self.rows.iter().flat_map(|row| row.bytes());
        letters.filter_map(Self::stage).max().map_or(0, |last| last + 1)
    }
}

/// Four stages on 2x2 cells; stage 2 is diagonal to stage 1.
impl Default for Levels {
    fn default() -> Self {
        Self { rows: ["ac", "db"].map(String::from).to_vec(), within: StageOrder::Random }
    }
}

impl Component for Levels {
    const KIND: &'static str = "levels";
    const SOURCE: &'static str = "ours";

    fn check(&self) -> Result<(), String> {
        let width = self.rows.first().map_or(0, String::len);
        if width == 0 {
            return Err("`rows` is empty; expected at least one row of one letter".to_owned());
        }
        if self.rows.len() > MOST_ROWS {
            return Err(format!("`rows` has {} rows; the maximum is {MOST_ROWS}", self.rows.len()));
        }
        let mut met = vec![false; self.stages()];
        for (number, row) in self.rows.iter().enumerate() {
            for letter in row.chars() {
                let stage = u8::try_from(letter).ok().and_then(Self::stage);
                *stage.and_then(|stage| met.get_mut(stage)).ok_or_else(|| {
                    format!("row {number} of `rows` contains {letter:?}; expected only letters a to z and A to Z")
                })? = true;
            }
            if row.len() != width {
                return Err(format!("row {number} of `rows` has length {}; expected {width}, as in row 0", row.len()));
            }
        }
        match met.iter().position(|met| !met).and_then(Self::letter) {
            Some(letter) => Err(format!("`rows` skips stage {letter:?}; every stage up to the highest must occur")),
            None => Ok(()),
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let line = Self { rows: vec!["acbc".to_owned()], within: StageOrder::Farthest };
        vec![("default", Self::default()), ("columns", line)]
    }
}

impl Order for Levels {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let mut stages: Vec<Vec<TokenIndex>> = vec![Vec::new(); self.stages()];
        for token in grid.iter() {
            let position = grid.position(token);
            let row = self.rows[position.row as usize % self.rows.len()].as_bytes();
            if let Some(stage) = Self::stage(row[position.column as usize % row.len()]) {
                stages[stage].push(token);
            }
        }
        Partition::new(grid, stages)
    }

    fn stage_count(&self) -> usize {
        self.stages()
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

    fn levels(rows: &[&str]) -> Levels {
        Levels { rows: rows.iter().map(ToString::to_string).collect(), ..Levels::default() }
    }

    fn stages(rows: &[&str], grid: Grid) -> Vec<Vec<usize>> {
        let levels = levels(rows);
        levels.check().unwrap();
        let subsets = levels.partition(grid).unwrap().into_subsets();
        subsets.iter().map(|subset| subset.iter().map(|token| token.index()).collect()).collect()
    }

    #[test]
    fn the_pattern_is_tiled_and_cropped() {
        let grid = |height, width| Grid::new(height, width).unwrap();
        assert_eq!(stages(&["ba", "ac"], grid(2, 3)), [vec![1, 3, 5], vec![0, 2], vec![4]]);
        assert_eq!(stages(&["ba", "ac"], grid(1, 2)), [vec![1], vec![0], vec![]]);
        let all: String = LETTERS.iter().map(|&letter| char::from(letter)).collect();
        assert_eq!(stages(&[&all], grid(1, 52)), (0..52).map(|token| vec![token]).collect::<Vec<_>>());
    }

    #[test]
    fn wrong_patterns_are_refused() {
        let refused = |rows: &[&str]| levels(rows).check().unwrap_err();
        assert!(refused(&[]).contains("at least one row"));
        assert!(refused(&[""]).contains("at least one row"));
        assert_eq!(refused(&["ab", "a"]), "row 1 of `rows` has length 1; expected 2, as in row 0");
        assert_eq!(refused(&["ac"]), "`rows` skips stage 'b'; every stage up to the highest must occur");
        for row in ["a0", "a,", "a\u{e9}", "\u{161}a"] {
            assert!(refused(&["ab", row]).contains("row 1 of `rows` contains '"), "{row}");
        }
        assert_eq!(refused(&vec!["a"; 4001]), "`rows` has 4001 rows; the maximum is 4000");
    }
}
