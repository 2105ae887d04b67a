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
    /// Rows of the pattern, all of the same length, a letter a cell: `a` is the first stage, `z` the 26th, `A` the 27th, `Z` the
    /// 52nd and last. No stage before the last that occurs is left out.
    pub rows: Vec<String>,
    /// Order of the tokens within a stage: `random`, `farthest` or `lattice`.
    pub within: Within,
}

/// The most rows of a pattern: the configuration of an axis may hold 4096 values.
const MOST_ROWS: usize = 4000;

/// The letters of the stages, first to last.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Levels {
    /// The most stages that can be written.
    pub const MOST_STAGES: usize = LETTERS.len();

    /// The letter of a stage, counted from 0.
    pub(crate) fn letter(stage: usize) -> Option<char> {
        LETTERS.get(stage).map(|&letter| char::from(letter))
    }

    /// The stage of a letter.
    fn stage(letter: u8) -> Option<usize> {
        LETTERS.iter().position(|&other| other == letter)
    }

    /// Number of stages.
    fn stages(&self) -> usize {
        let letters = self.rows.iter().flat_map(|row| row.bytes());
        letters.filter_map(Self::stage).max().map_or(0, |last| last + 1)
    }
}

/// Four stages of two by two cells, the second diagonal to the first.
impl Default for Levels {
    fn default() -> Self {
        Self { rows: ["ac", "db"].map(String::from).to_vec(), within: Within::Random }
    }
}

impl Component for Levels {
    const KIND: &'static str = "levels";
    const SOURCE: &'static str = "ours";

    fn check(&self) -> Result<(), String> {
        let width = self.rows.first().map_or(0, String::len);
        if width == 0 {
            return Err("`rows` is empty: give at least one row of one letter".to_owned());
        }
        if self.rows.len() > MOST_ROWS {
            return Err(format!("`rows` has {} rows: at most {MOST_ROWS}", self.rows.len()));
        }
        let mut met = vec![false; self.stages()];
        for (number, row) in self.rows.iter().enumerate() {
            for letter in row.chars() {
                let stage = u8::try_from(letter).ok().and_then(Self::stage);
                *stage.and_then(|stage| met.get_mut(stage)).ok_or_else(|| {
                    format!("row {number} of `rows` has a {letter:?}: write the letter of a stage, a to z, then A to Z")
                })? = true;
            }
            if row.len() != width {
                return Err(format!("row {number} of `rows` has {} letters, the first has {width}", row.len()));
            }
        }
        match met.iter().position(|met| !met).and_then(Self::letter) {
            Some(letter) => Err(format!("`rows` has no {letter:?}, but later stages: leave none out")),
            None => Ok(()),
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let line = Self { rows: vec!["acbc".to_owned()], within: Within::Farthest };
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

    fn levels(rows: &[&str]) -> Levels {
        Levels { rows: rows.iter().map(ToString::to_string).collect(), ..Levels::default() }
    }

    fn stages(rows: &[&str], grid: Grid) -> Vec<Vec<usize>> {
        let levels = levels(rows);
        levels.check().unwrap();
        let subsets = levels.partition(grid).unwrap().into_subsets();
        subsets.iter().map(|subset| subset.iter().map(|token| token.get()).collect()).collect()
    }

    #[test]
    fn the_pattern_is_repeated_and_cut_off() {
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
        assert_eq!(refused(&["ab", "a"]), "row 1 of `rows` has 1 letters, the first has 2");
        assert_eq!(refused(&["ac"]), "`rows` has no 'b', but later stages: leave none out");
        for row in ["a0", "a,", "a\u{e9}", "\u{161}a"] {
            assert!(refused(&["ab", row]).contains("row 1 of `rows` has a '"), "{row}");
        }
        assert_eq!(refused(&vec!["a"; 4001]), "`rows` has 4001 rows: at most 4000");
    }
}
