//! Recursive bisection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Order, StageOrder};
use crate::{Component, Error, Grid, OutOfRange, Partition, Position, TokenIndex};

/// Recursive bisection of a checkerboard: each cut assigns half of the remaining tokens to a later stage.
///
/// The first cut takes the odd cells (row + column odd), which become the last stage, the reconstruction. The tokens
/// that remain after the last cut form the first stage. All direct neighbours of an odd cell are even, so each token of
/// the reconstruction has known neighbours on all sides. `first = odd` swaps the two colours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bisection {
    /// Rule that cuts each level in two: `diagonal` (as published) or `quincunx`.
    pub cut: Cut,
    /// Number of stages, 1 to 64. With two or more, the last stage is the reconstruction.
    pub stages: Stages,
    /// Order of the tokens within a stage: `random`, `farthest` or `lattice`.
    pub within: StageOrder,
    /// Colour of the checkerboard that the generation stages cover: `even` (as published, the default) or `odd`.
    #[serde(skip_serializing_if = "Parity::is_even")]
    pub first: Parity,
}

/// Colour of the checkerboard: cells with row + column even, or odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// Generates the even cells and reconstructs the odd cells, as published.
    #[default]
    Even,
    /// Generates the odd cells and reconstructs the even cells (ours). All cuts are shifted by one column to the left.
    Odd,
}

impl Parity {
    /// Returns true for the default, which is not serialised.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that `skip_serializing_if` requires")]
    fn is_even(&self) -> bool {
        *self == Self::Even
    }

    /// Returns the position that the cuts are evaluated at for a cell.
    fn moved(self, Position { row, column }: Position) -> Position {
        Position { row, column: column + u32::from(self == Self::Odd) }
    }
}

/// Rule that cuts a level of the bisection in two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Diagonals, as published (Algorithm 1): level k keeps the tokens with row + column divisible by 2^k.
    #[default]
    Diagonal,
    /// Quincunx sub-lattices (ours): levels alternate between checkerboards and rows of increasing size. The distance
    /// between the closest tokens grows by a factor of sqrt(2) per level.
    Quincunx,
}

impl Cut {
    /// Returns true if the cut of `level` (0 is the first) keeps a token that all earlier levels kept.
    pub(super) fn keeps(self, level: u32, Position { row, column }: Position) -> bool {
        match self {
            Self::Diagonal => (u64::from(row) + u64::from(column)) >> level & 1 == 0,
            Self::Quincunx => {
                let size = 1u64 << (level / 2);
                let (row, column) = (u64::from(row) / size, u64::from(column) / size);
                if level.is_multiple_of(2) { (row + column) % 2 == 0 } else { row % 2 == 0 }
            }
        }
    }
}

/// Number of stages, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(extend("minimum" = 1, "maximum" = 64))]
pub struct Stages(u32);

impl Stages {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] unless `stages` is 1 to 64.
    pub fn new(stages: u32) -> Result<Self, OutOfRange> {
        if (1..=64).contains(&stages) {
            Ok(Self(stages))
        } else {
            Err(OutOfRange { what: "a number of stages", expected: "1 to 64", found: stages.to_string() })
        }
    }

    /// Returns the number of stages.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Three, as published.
impl Default for Stages {
    fn default() -> Self {
        Self(3)
    }
}

impl TryFrom<u32> for Stages {
    type Error = OutOfRange;
    fn try_from(stages: u32) -> Result<Self, OutOfRange> {
        Self::new(stages)
    }
}

impl From<Stages> for u32 {
    fn from(stages: Stages) -> u32 {
        stages.0
    }
}

impl Default for Bisection {
    fn default() -> Self {
        Self { cut: Cut::Diagonal, stages: Stages::default(), within: StageOrder::Random, first: Parity::Even }
    }
}

impl Component for Bisection {
    const KIND: &'static str = "bisection";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 3.2, Algorithm 1; the cut `quincunx`, the orders `farthest` and `lattice` and `first` are ours";

    fn examples() -> Vec<(&'static str, Self)> {
        let default = Self::default();
        vec![
            ("quincunx", Self { cut: Cut::Quincunx, stages: Stages(4), ..default.clone() }),
            ("farthest", Self { within: StageOrder::Farthest, ..default.clone() }),
            ("lattice", Self { cut: Cut::Quincunx, within: StageOrder::Lattice, ..default.clone() }),
            ("odd", Self { first: Parity::Odd, ..default.clone() }),
            ("default", default),
        ]
    }
}

impl Order for Bisection {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let mut rest: Vec<TokenIndex> = grid.iter().collect();
        let mut later = Vec::new();
        for level in 0..self.stages.get() - 1 {
            let keeps = |token: &TokenIndex| self.cut.keeps(level, self.first.moved(grid.position(*token)));
            let (kept, cut_off) = rest.into_iter().partition(keeps);
            later.push(cut_off);
            rest = kept;
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
    use crate::{Spread, TokenSet};

    fn spreads(cut: Cut, stages: u32) -> Vec<(usize, Option<f64>, Option<f64>)> {
        let grid = Grid::new(16, 16).unwrap();
        let order = Bisection { cut, stages: Stages(stages), ..Bisection::default() };
        let round = |distance: f64| (distance * 1000.0).round() / 1000.0;
        let partition = order.partition(grid).unwrap();
        let spread = |subset: &Vec<TokenIndex>| Spread::of(&TokenSet::from_tokens(grid, subset.iter().copied()));
        partition
            .subsets()
            .iter()
            .map(|subset| {
                let spread = spread(subset);
                (subset.len(), spread.closest_pair.map(round), spread.covering_radius.map(round))
            })
            .collect()
    }

    /// First stages on 16x16: tokens, closest pair, largest gap.
    #[test]
    fn first_stages_have_the_derived_spread() {
        let first = |cut, stages| spreads(cut, stages)[0];
        assert_eq!(first(Cut::Diagonal, 2), (128, Some(1.414), Some(1.0)));
        assert_eq!(first(Cut::Diagonal, 3), (64, Some(1.414), Some(1.414)));
        assert_eq!(first(Cut::Diagonal, 4), (32, Some(1.414), Some(4.243)));
        assert_eq!(first(Cut::Diagonal, 5), (16, Some(1.414), Some(9.899)));
        assert_eq!(first(Cut::Quincunx, 2), (128, Some(1.414), Some(1.0)));
        assert_eq!(first(Cut::Quincunx, 3), (64, Some(2.0), Some(1.414)));
        assert_eq!(first(Cut::Quincunx, 4), (32, Some(2.828), Some(2.236)));
        assert_eq!(first(Cut::Quincunx, 5), (16, Some(4.0), Some(4.243)));
    }

    #[test]
    fn stages_double() {
        let tokens = |cut| spreads(cut, 3).into_iter().map(|(tokens, ..)| tokens).collect::<Vec<_>>();
        assert_eq!(tokens(Cut::Diagonal), [64, 64, 128]);
        assert_eq!(tokens(Cut::Quincunx), [64, 64, 128]);
        let closest: Vec<_> = spreads(Cut::Quincunx, 4).into_iter().map(|(_, closest, _)| closest).collect();
        assert_eq!(closest, [Some(2.828), Some(2.828), Some(2.0), Some(1.414)]);
    }

    #[test]
    fn first_odd_swaps_the_colours() {
        let grid = Grid::new(4, 4).unwrap();
        let stages = |first, cut| {
            let order = Bisection { cut, first, ..Bisection::default() };
            let partition = order.partition(grid).unwrap();
            partition.subsets().iter().map(|it| it.iter().map(|token| token.index()).collect()).collect::<Vec<Vec<_>>>()
        };
        let odd = stages(Parity::Odd, Cut::Diagonal);
        assert_eq!(odd[2], [0, 2, 5, 7, 8, 10, 13, 15]);
        assert_eq!(odd[0], [3, 6, 9, 12]);
        for cut in [Cut::Diagonal, Cut::Quincunx] {
            let (even, odd) = (stages(Parity::Even, cut), stages(Parity::Odd, cut));
            assert_eq!(even.iter().map(Vec::len).collect::<Vec<_>>(), odd.iter().map(Vec::len).collect::<Vec<_>>());
            assert!(even[2].iter().all(|token| !odd[2].contains(token)));
        }
    }

    #[test]
    fn the_default_colour_is_not_serialised() {
        let json = serde_json::to_string(&Bisection::default()).unwrap();
        assert_eq!(json, r#"{"cut":"diagonal","stages":3,"within":"random"}"#);
        let odd: Bisection = serde_json::from_str(r#"{"first":"odd"}"#).unwrap();
        assert_eq!(serde_json::to_value(&odd).unwrap()["first"], "odd");
    }

    #[test]
    fn small_grids_leave_stages_empty() {
        let partition = Bisection::default().partition(Grid::new(1, 1).unwrap()).unwrap();
        assert_eq!(partition.subsets().iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0]);
    }

    #[test]
    fn stage_counts_are_bounded() {
        assert!(Stages::new(0).is_err());
        assert!(Stages::new(65).is_err());
        let partition = Bisection { stages: Stages(64), ..Bisection::default() }.partition(Grid::new(4, 4).unwrap());
        assert_eq!(partition.unwrap().subsets().len(), 64);
    }
}
