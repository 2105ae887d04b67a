//! The covariance of a field on a grid, number by number.

use super::{Field, LARGEST};
use crate::{Error, Grid, Position};

/// Covariances between the numbers of a grid: channel `k` of token `i` is number `i * channels + k`.
#[derive(Debug)]
pub(super) enum Covariance<'a> {
    /// By displacement: row `r`, column `c` of the table holds tokens that are `r` rows and `c` columns apart.
    Displacement { width: usize, table: Vec<f64> },
    /// Number by number.
    Matrix { side: usize, numbers: &'a [f64] },
}

impl Covariance<'_> {
    /// Of two numbers.
    pub(super) fn at(&self, a: usize, b: usize) -> f64 {
        match self {
            Self::Displacement { width, table } => {
                let (rows, columns) = ((a / width).abs_diff(b / width), (a % width).abs_diff(b % width));
                table[rows * width + columns]
            }
            // The lower half, so that what is computed does not depend on which of two almost equal numbers is read.
            Self::Matrix { side, numbers } => numbers[a.max(b) * side + a.min(b)],
        }
    }
}

impl Field {
    /// The covariance of each class on a grid.
    pub(super) fn covariances(&self, grid: Grid) -> Result<Vec<Covariance<'_>>, Error> {
        let side = grid.tokens().saturating_mul(self.channels());
        if side > LARGEST {
            return Err(Error::Field(format!(
                "a grid of {grid} is too large: the loss takes the covariance of all its {side} numbers, and at most \
                 {LARGEST} are possible"
            )));
        }
        match self {
            Self::Isotropic(field) => {
                let corner = Position { row: 0, column: 0 };
                let table = grid.iter().map(|token| field.covariance(corner, grid.position(token))).collect();
                Ok(vec![Covariance::Displacement { width: grid.width() as usize, table }])
            }
            Self::Measured(field) if field.grid() != grid => {
                Err(Error::Field(format!("`{field}` was measured on a grid of {}, not of {grid}", field.grid())))
            }
            Self::Measured(field) => {
                Ok(field.classes().iter().map(|numbers| Covariance::Matrix { side, numbers }).collect())
            }
        }
    }
}
