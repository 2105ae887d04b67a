//! Gaussian fields on which the loss of a plan is computed.

use std::fmt;
use std::str::FromStr;

use super::{Isotropic, Measured};
use crate::Error;

/// A Gaussian field over the tokens of a grid: a second-order model of images.
///
/// The default is `exponential:2:0.01`. It is a prior, not a measurement of images: it has no classes, no guidance and
/// no moments beyond the second.
///
/// # Examples
/// ```
/// use gtr_core::loss::Field;
/// let field: Field = "exponential:2".parse()?;
/// assert_eq!(field, Field::default());
/// assert_eq!(field.to_string(), "exponential:2:0.01");
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Covariance that depends only on the distance, on any grid, with one channel.
    Isotropic(Isotropic),
    /// Measured covariance, on one grid, with any number of channels and classes.
    Measured(Measured),
}

impl Field {
    /// Returns the number of channels per token.
    pub fn channels(&self) -> usize {
        match self {
            Self::Isotropic(_) => 1,
            Self::Measured(field) => field.channels(),
        }
    }
}

impl Default for Field {
    fn default() -> Self {
        Self::Isotropic(Isotropic::default())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isotropic(field) => field.fmt(f),
            Self::Measured(field) => field.fmt(f),
        }
    }
}

/// Parses an isotropic field. Measured fields come from files, which this crate does not read.
impl FromStr for Field {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self::Isotropic)
    }
}

impl From<Isotropic> for Field {
    fn from(field: Isotropic) -> Self {
        Self::Isotropic(field)
    }
}

impl From<Measured> for Field {
    fn from(field: Measured) -> Self {
        Self::Measured(field)
    }
}
