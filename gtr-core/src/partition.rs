//! Partitions of a grid's tokens.

use crate::{Error, Grid, TokenIndex, TokenSet};

/// An ordered list of disjoint subsets that together cover the grid. The order of the tokens within a subset is
/// significant. Subsets may be empty.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, Partition};
/// let grid = Grid::new(1, 3)?;
/// let [a, b, c] = [0, 1, 2].map(|token| grid.token(token).unwrap());
/// assert!(Partition::new(grid, vec![vec![a, c], vec![b]]).is_ok());
/// assert!(Partition::new(grid, vec![vec![a, c]]).is_err());
/// assert!(Partition::new(grid, vec![vec![a, c], vec![b, a]]).is_err());
/// # Ok::<(), gtr_core::GridError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    grid: Grid,
    subsets: Vec<Vec<TokenIndex>>,
}

impl Partition {
    /// Checks the subsets.
    ///
    /// # Errors
    /// [`Error::Partition`] if a token occurs more than once or is missing; [`Error::Grid`] if a token is not on the
    /// grid.
    pub fn new(grid: Grid, subsets: Vec<Vec<TokenIndex>>) -> Result<Self, Error> {
        let mut seen = TokenSet::empty(grid);
        for token in subsets.iter().flatten() {
            grid.token(token.index())?;
            if !seen.insert(*token) {
                return Err(Error::Partition { grid, message: format!("token {token} occurs more than once") });
            }
        }
        if let Some(missing) = seen.complement().iter().next() {
            return Err(Error::Partition { grid, message: format!("token {missing} is missing") });
        }
        Ok(Self { grid, subsets })
    }

    /// Creates a partition with a single subset, which keeps the order of `tokens`.
    ///
    /// # Errors
    /// See [`Partition::new`].
    pub fn whole(grid: Grid, tokens: Vec<TokenIndex>) -> Result<Self, Error> {
        Self::new(grid, vec![tokens])
    }

    /// Returns the grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Returns the subsets, in order.
    pub fn subsets(&self) -> &[Vec<TokenIndex>] {
        &self.subsets
    }

    /// Consumes the partition and returns the subsets, in order.
    pub fn into_subsets(self) -> Vec<Vec<TokenIndex>> {
        self.subsets
    }
}
