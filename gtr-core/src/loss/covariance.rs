//! Covariance of a field on a grid.

use super::{Field, LARGEST};
use crate::{Error, Grid, Position};

/// Covariances between the values of a grid: channel `k` of token `i` has index `i * channels + k`.
#[derive(Debug)]
pub(super) enum Covariance<'a> {
    /// Covariance by displacement: row `r`, column `c` of the table is the covariance of tokens `r` rows and `c`
    /// columns apart.
    Displacement { width: usize, table: Vec<f64> },
    /// Full covariance matrix, `[side, side]`.
    Matrix { side: usize, numbers: &'a [f64] },
}

impl Covariance<'_> {
    /// Returns the covariance of two values.
    pub(super) fn at(&self, a: usize, b: usize) -> f64 {
        match self {
            Self::Displacement { width, table } => {
                let (rows, columns) = ((a / width).abs_diff(b / width), (a % width).abs_diff(b % width));
                table[rows * width + columns]
            }
            // Always read the lower triangle: the two triangles may differ by rounding.
            Self::Matrix { side, numbers } => numbers[a.max(b) * side + a.min(b)],
        }
    }
}

impl Field {
    /// Returns the covariance of each class on a grid.
    pub(super) fn covariances(&self, grid: Grid) -> Result<Vec<Covariance<'_>>, Error> {
        let side = grid.tokens().saturating_mul(self.channels());
        if side > LARGEST {
            return Err(Error::Field(format!(
                "a grid of {grid} is too large: the loss needs the covariance of {side} values; the maximum is \
                 {LARGEST}"
            )));
        }
        match self {
            Self::Isotropic(field) => {
                let corner = Position { row: 0, column: 0 };
                let table = grid.iter().map(|token| field.covariance(corner, grid.position(token))).collect();
                Ok(vec![Covariance::Displacement { width: grid.width() as usize, table }])
            }
            Self::Measured(field) if field.grid() != grid => {
                Err(Error::Field(format!("`{field}` was measured on a grid of {}, not {grid}", field.grid())))
            }
            Self::Measured(field) => {
                Ok(field.classes().iter().map(|numbers| Covariance::Matrix { side, numbers }).collect())
            }
        }
    }
}
