//! Covariances of the values of a grid of tokens.

use crate::Symmetric;

/// Covariances between values, which are numbered from 0.
#[derive(Clone, Debug)]
pub enum Covariance<'a> {
    /// One value per token of a grid with rows of `width` tokens. Row `r`, column `c` of the table, which has the size of the
    /// grid, is the covariance of tokens `r` rows and `c` columns apart.
    Displacement {
        /// Number of tokens in a row.
        width: usize,
        /// One covariance per displacement, row by row.
        table: Vec<f64>,
    },
    /// Full covariance matrix, `[side, side]`. Only the lower triangle is read: the two may differ by rounding.
    Matrix {
        /// Number of values.
        side: usize,
        /// The covariances.
        numbers: &'a [f64],
    },
}

impl Covariance<'_> {
    /// Returns the covariance of two values.
    pub(crate) fn at(&self, a: usize, b: usize) -> f64 {
        match self {
            Self::Displacement { width, table } => {
                let (rows, columns) = ((a / width).abs_diff(b / width), (a % width).abs_diff(b % width));
                table[rows * width + columns]
            }
            Self::Matrix { side, numbers } => numbers[a.max(b) * side + a.min(b)],
        }
    }

    /// Returns the covariance of all values as a matrix.
    ///
    /// # Examples
    /// ```
    /// use gtr_linalg::Covariance;
    ///
    /// // Three tokens in a row.
    /// let line = Covariance::Displacement { width: 3, table: vec![1.0, 0.5, 0.25] };
    /// assert_eq!(line.dense().as_slice(), [1.0, 0.5, 0.25, 0.5, 1.0, 0.5, 0.25, 0.5, 1.0]);
    /// ```
    pub fn dense(&self) -> Symmetric {
        let side = match self {
            Self::Displacement { table, .. } => table.len(),
            Self::Matrix { side, .. } => *side,
        };
        Symmetric::from_fn(side, |row, column| self.at(row, column))
    }
}
