//! Fields with a measured covariance.

use std::fmt;
use std::sync::Arc;

use super::LARGEST;
use crate::{Error, Grid};

/// Field with a covariance measured on one grid: one matrix, or one matrix per class.
///
/// # Shapes
/// A matrix is `[n * c, n * c]`, row-major, for `n` tokens of `c` channels. The channels of a token are adjacent:
/// channel `k` of token `i` is row `i * c + k`.
///
/// # Examples
/// ```
/// use gtr_core::Grid;
/// use gtr_core::loss::Measured;
/// let field = Measured::new("pairs", Grid::new(1, 2)?, 1, vec![vec![1.0, 0.5, 0.5, 1.0]])?;
/// assert_eq!(field.to_string(), "pairs");
/// assert!(Measured::new("pairs", Grid::new(1, 2)?, 1, vec![vec![1.0, 0.5, 0.4, 1.0]]).is_err());
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    name: String,
    grid: Grid,
    channels: usize,
    classes: Arc<[Vec<f64>]>,
}

/// Largest accepted difference between mirrored entries, relative to the largest variance.
const ASYMMETRY: f64 = 1e-9;

impl Measured {
    /// Creates a field from one covariance matrix per class. `name` appears in messages, for example the name of the
    /// file. With more than one matrix, the loss is the unweighted mean over the classes.
    ///
    /// # Errors
    /// [`Error::Field`] if `channels` is 0, `classes` is empty, the grid has more than [`LARGEST`] values, or a matrix
    /// has the wrong size, a value that is not finite, a variance that is not positive, or is not symmetric.
    pub fn new(name: impl Into<String>, grid: Grid, channels: usize, classes: Vec<Vec<f64>>) -> Result<Self, Error> {
        let name = name.into();
        let wrong = |message: String| Error::Field(format!("`{name}`: {message}"));
        if channels == 0 || classes.is_empty() {
            return Err(wrong("expected at least one channel and one covariance matrix".to_owned()));
        }
        let side = grid.tokens().saturating_mul(channels);
        if side > LARGEST {
            let tokens = grid.tokens();
            return Err(wrong(format!(
                "{tokens} tokens of {} exceed the maximum of {LARGEST} values",
                crate::count(channels, "channel")
            )));
        }
        for (class, covariance) in classes.iter().enumerate() {
            check(covariance, side).map_err(|message| match classes.len() {
                1 => wrong(message),
                _ => wrong(format!("class {class}: {message}")),
            })?;
        }
        Ok(Self { name, grid, channels, classes: classes.into() })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the grid on which the covariance was measured.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Returns the number of channels per token.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the covariance of each class; a single matrix if the field has no classes.
    pub fn classes(&self) -> &[Vec<f64>] {
        &self.classes
    }
}

fn check(covariance: &[f64], side: usize) -> Result<(), String> {
    if covariance.len() != side * side {
        return Err(format!("expected a covariance of {side}x{side} values, found {}", covariance.len()));
    }
    if let Some(at) = covariance.iter().position(|number| !number.is_finite()) {
        let (row, column) = (at / side, at % side);
        return Err(format!("row {row}, column {column} of the covariance is {}, not a finite number", covariance[at]));
    }
    let variance = |row: usize| covariance[row * side + row];
    if let Some(row) = (0..side).find(|&row| variance(row) <= 0.0) {
        return Err(format!("the variance of row {row} must be above 0, not {}", variance(row)));
    }
    let scale = (0..side).map(variance).fold(0.0, f64::max);
    for row in 0..side {
        for column in 0..row {
            let (lower, upper) = (covariance[row * side + column], covariance[column * side + row]);
            if (lower - upper).abs() > ASYMMETRY * scale {
                return Err(format!(
                    "the covariance is not symmetric: row {row}, column {column} is {lower}, but row {column}, column \
                     {row} is {upper}"
                ));
            }
        }
    }
    Ok(())
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
