//! Partitions of a grid's tokens.

use crate::{Error, Grid, TokenIndex, TokenSet};

/// An ordered list of subsets that are disjoint and together cover the grid. Each subset lists its tokens in an order of
/// its own; a subset may be empty, where a cut found nothing to cut.
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
    /// # Errors
    /// [`Error::Partition`] if a token occurs twice, is missing, or is not on the grid.
    pub fn new(grid: Grid, subsets: Vec<Vec<TokenIndex>>) -> Result<Self, Error> {
        let mut seen = TokenSet::empty(grid);
        for token in subsets.iter().flatten() {
            grid.token(token.get())?;
            if !seen.insert(*token) {
                return Err(Error::Partition { grid, message: format!("token {token} is in it twice") });
            }
        }
        if let Some(missing) = seen.complement().iter().next() {
            return Err(Error::Partition { grid, message: format!("token {missing} is in no subset") });
        }
        Ok(Self { grid, subsets })
    }

    /// The partition into a single subset, tokens in the order given.
    ///
    /// # Errors
    /// [`Error::Partition`] unless `tokens` lists every token of the grid once.
    pub fn whole(grid: Grid, tokens: Vec<TokenIndex>) -> Result<Self, Error> {
        Self::new(grid, vec![tokens])
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The subsets, in order.
    pub fn subsets(&self) -> &[Vec<TokenIndex>] {
        &self.subsets
    }

    /// The subsets, in order.
    pub fn into_subsets(self) -> Vec<Vec<TokenIndex>> {
        self.subsets
    }
}
