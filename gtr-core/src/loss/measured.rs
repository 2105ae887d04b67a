//! Fields whose covariance was measured.

use std::fmt;
use std::sync::Arc;

use super::LARGEST;
use crate::{Error, Grid};

/// A field whose covariance was measured on one grid: one matrix, or one a class.
///
/// # Shapes
/// A matrix is `[n * c, n * c]`, row by row, for `n` tokens of `c` channels; the channels of a token lie side by side, so that
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

/// The largest difference of two numbers that should be equal, relative to the largest variance.
const ASYMMETRY: f64 = 1e-9;

impl Measured {
    /// A field that is called `name`, for example after its file. With more than one matrix the field is conditional: the loss
    /// is the average over the classes, all alike.
    ///
    /// # Errors
    /// [`Error::Field`] if there is no channel or no matrix, too many numbers a token grid, a matrix of another size, a number
    /// that is not finite, a variance that is not above 0, or a matrix that is not symmetric.
    pub fn new(name: impl Into<String>, grid: Grid, channels: usize, classes: Vec<Vec<f64>>) -> Result<Self, Error> {
        let name = name.into();
        let wrong = |message: String| Error::Field(format!("`{name}`: {message}"));
        if channels == 0 || classes.is_empty() {
            return Err(wrong("a measured field needs at least one channel and one covariance".to_owned()));
        }
        let side = grid.tokens().saturating_mul(channels);
        if side > LARGEST {
            let tokens = grid.tokens();
            return Err(wrong(format!(
                "{tokens} tokens of {channels} channels are more than the {LARGEST} numbers that a loss is computed of"
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

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The grid that it was measured on.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Channels of a token.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The covariance of each class; one, if the field knows no classes.
    pub fn classes(&self) -> &[Vec<f64>] {
        &self.classes
    }
}

fn check(covariance: &[f64], side: usize) -> Result<(), String> {
    if covariance.len() != side * side {
        return Err(format!("a covariance of {side}x{side} numbers is needed, {} are given", covariance.len()));
    }
    if let Some(at) = covariance.iter().position(|number| !number.is_finite()) {
        return Err(format!("row {}, column {} of the covariance is {}", at / side, at % side, covariance[at]));
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
                    "the covariance is not symmetric: row {row}, column {column} is {lower}, its mirror image {upper}"
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
