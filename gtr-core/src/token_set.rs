//! Sets of tokens.

use fixedbitset::FixedBitSet;

use crate::{Grid, TokenIndex};

/// A set of tokens of one grid, stored with one bit per token.
///
/// Operations on two sets panic if the sets belong to different grids.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, TokenSet};
/// let grid = Grid::new(4, 4)?;
/// let odd = TokenSet::from_tokens(grid, grid.iter().filter(|token| token.get() % 2 == 1));
/// let even = odd.complement();
/// assert!(odd.is_disjoint(&even));
/// assert_eq!(odd.union(&even), TokenSet::full(grid));
/// # Ok::<(), gtr_core::GridError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    grid: Grid,
    bits: FixedBitSet,
}

impl TokenSet {
    /// Creates an empty set.
    pub fn empty(grid: Grid) -> Self {
        Self { grid, bits: FixedBitSet::with_capacity(grid.tokens()) }
    }

    /// Creates the set of all tokens of the grid.
    pub fn full(grid: Grid) -> Self {
        let mut set = Self::empty(grid);
        set.bits.insert_range(..);
        set
    }

    /// Creates a set of the given tokens.
    ///
    /// # Panics
    /// Panics if a token is not on the grid.
    pub fn from_tokens(grid: Grid, tokens: impl IntoIterator<Item = TokenIndex>) -> Self {
        let mut set = Self::empty(grid);
        for token in tokens {
            set.insert(token);
        }
        set
    }

    /// Returns the grid to which the tokens belong.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Adds a token. Returns false if the set already contained it.
    ///
    /// # Panics
    /// Panics if the token is not on the grid.
    pub fn insert(&mut self, token: TokenIndex) -> bool {
        !self.bits.put(token.index())
    }

    /// Returns true if the set contains the token.
    pub fn contains(&self, token: TokenIndex) -> bool {
        self.bits.contains(token.index())
    }

    /// Returns the number of tokens in the set.
    pub fn len(&self) -> usize {
        self.bits.count_ones(..)
    }

    /// Returns true if the set contains no tokens.
    pub fn is_empty(&self) -> bool {
        self.bits.is_clear()
    }

    /// Returns an iterator over the tokens in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = TokenIndex> {
        self.bits.ones().filter_map(|token| self.grid.token(token).ok())
    }

    /// Returns the tokens that are in at least one of the sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, FixedBitSet::union_with)
    }

    /// Returns the tokens that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, FixedBitSet::intersect_with)
    }

    /// Returns the tokens of this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, FixedBitSet::difference_with)
    }

    /// Returns the tokens of the grid that are not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut bits = self.bits.clone();
        bits.toggle_range(..);
        Self { grid: self.grid, bits }
    }

    /// Returns the morphological dilation of the set: all tokens at most `by` rows and `by` columns away from a token
    /// of the set.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Grid, TokenSet};
    /// let grid = Grid::new(3, 4)?;
    /// let corner = TokenSet::from_tokens(grid, grid.at(0, 0));
    /// assert_eq!(corner.dilated(1).iter().map(|token| token.get()).collect::<Vec<_>>(), [0, 1, 4, 5]);
    /// # Ok::<(), gtr_core::GridError>(())
    /// ```
    #[must_use]
    pub fn dilated(&self, by: u32) -> Self {
        let grid = self.grid;
        let near = |at: u32, side: u32| at.saturating_sub(by)..=at.saturating_add(by).min(side - 1);
        // Separable: first along each row, then along each column.
        let mut wide = Self::empty(grid);
        for at in self.iter().map(|token| grid.position(token)) {
            near(at.column, grid.width()).filter_map(|column| grid.at(at.row, column)).for_each(|token| {
                wide.insert(token);
            });
        }
        let mut all = Self::empty(grid);
        for at in wide.iter().map(|token| grid.position(token)) {
            near(at.row, grid.height()).filter_map(|row| grid.at(row, at.column)).for_each(|token| {
                all.insert(token);
            });
        }
        all
    }

    /// Returns true if no token is in both sets.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.same_grid(other);
        self.bits.is_disjoint(&other.bits)
    }

    /// Returns true if the other set contains every token of this set.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.same_grid(other);
        self.bits.is_subset(&other.bits)
    }

    fn combine(&self, other: &Self, with: impl FnOnce(&mut FixedBitSet, &FixedBitSet)) -> Self {
        self.same_grid(other);
        let mut bits = self.bits.clone();
        with(&mut bits, &other.bits);
        Self { grid: self.grid, bits }
    }

    fn same_grid(&self, other: &Self) {
        assert_eq!(self.grid, other.grid, "token sets of different grids");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(grid: Grid, mask: u64) -> (TokenSet, BTreeSet<usize>) {
        let tokens: BTreeSet<usize> = (0..grid.tokens()).filter(|token| mask >> (token % 64) & 1 == 1).collect();
        (TokenSet::from_tokens(grid, tokens.iter().map(|&token| grid.token(token).unwrap())), tokens)
    }

    proptest! {
        #[test]
        fn operations_equal_those_of_btree_sets(height in 1..9u32, width in 1..9u32, a: u64, b: u64) {
            let grid = Grid::new(height, width).unwrap();
            let ((a, model_a), (b, model_b)) = (set(grid, a), set(grid, b));
            let tokens = |set: &TokenSet| set.iter().map(TokenIndex::index).collect::<BTreeSet<_>>();
            prop_assert_eq!(tokens(&a.union(&b)), &model_a | &model_b);
            prop_assert_eq!(tokens(&a.intersection(&b)), &model_a & &model_b);
            prop_assert_eq!(tokens(&a.difference(&b)), &model_a - &model_b);
            prop_assert_eq!(a.complement().len(), grid.tokens() - a.len());
            prop_assert!(a.is_disjoint(&a.complement()));
            prop_assert_eq!(a.union(&a.complement()), TokenSet::full(grid));
            prop_assert_eq!(a.is_disjoint(&b), model_a.is_disjoint(&model_b));
            prop_assert_eq!(a.is_subset(&b), model_a.is_subset(&model_b));
            prop_assert_eq!(a.is_empty(), model_a.is_empty());
            prop_assert_eq!(a.len(), model_a.len());
        }
    }

    proptest! {
        #[test]
        fn widened_sets_contain_all_near_tokens(height in 1..9u32, width in 1..9u32, mask: u64, by in 0..4u32) {
            let grid = Grid::new(height, width).unwrap();
            let (few, _) = set(grid, mask);
            let near = |a, b| {
                let (a, b) = (grid.position(a), grid.position(b));
                a.row.abs_diff(b.row).max(a.column.abs_diff(b.column)) <= by
            };
            let expected = grid.iter().filter(|&token| few.iter().any(|other| near(token, other)));
            prop_assert_eq!(few.dilated(by), TokenSet::from_tokens(grid, expected));
        }
    }

    #[test]
    fn inserting_twice_returns_false() {
        let grid = Grid::new(1, 2).unwrap();
        let token = grid.token(1).unwrap();
        let mut set = TokenSet::empty(grid);
        assert!(set.insert(token));
        assert!(!set.insert(token));
        assert!(set.contains(token));
    }

    #[test]
    #[should_panic(expected = "different grids")]
    fn combining_sets_of_different_grids_panics() {
        let _ = TokenSet::full(Grid::new(1, 2).unwrap()).union(&TokenSet::full(Grid::new(2, 1).unwrap()));
    }
}
