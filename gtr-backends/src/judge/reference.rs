//! The features of real digits.

use std::fmt;
use std::str::FromStr;

use super::Moments;
use super::classifier::{FEATURES, WEIGHTS};
use crate::BackendError;
use crate::checkpoint::Checkpoint;

/// Mean and covariance of two halves of the real digits.
const HALVES: &[u8] = include_bytes!("../../../models/digit-classifier/halves.safetensors");

/// Which of the 10,000 real digits generated ones are compared with.
///
/// Whoever searches for the best settings looks at one half, and tells the result by the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// All of them.
    #[default]
    All,
    /// Every other one of each class, beginning with the first.
    First,
    /// Every other one of each class, beginning with the second.
    Second,
}

impl Reference {
    /// All there are.
    pub const EACH: [Self; 3] = [Self::All, Self::First, Self::Second];

    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::First => "first",
            Self::Second => "second",
        }
    }

    /// Mean and covariance of the features.
    ///
    /// # Errors
    /// None, unless the program was built from damaged files.
    pub fn moments(self) -> Result<Moments, BackendError> {
        let (file, bytes, mean, covariance) = match self {
            Self::All => ("the digit classifier", WEIGHTS, "reference.mean", "reference.cov"),
            Self::First => ("the halves of the digits", HALVES, "first.mean", "first.cov"),
            Self::Second => ("the halves of the digits", HALVES, "second.mean", "second.cov"),
        };
        let mut checkpoint = Checkpoint::from_bytes(file, bytes)?;
        let moments = Moments::new(checkpoint.read_f64(mean)?, checkpoint.read_f64(covariance)?)?;
        debug_assert_eq!(moments.width(), FEATURES);
        Ok(moments)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::EACH.into_iter().find(|it| it.name() == name).ok_or("the references are all, first and second")
    }
}
