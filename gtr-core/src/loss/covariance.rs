//! Covariance of a field on a grid.

use gtr_linalg::Covariance;

use super::{Field, LARGEST};
use crate::{Error, Grid, Position};

impl Field {
    /// Returns the covariance of each class on a grid: channel `k` of token `i` has number `i * channels + k`.
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
