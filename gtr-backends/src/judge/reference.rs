//! Feature statistics of real images.

use std::fmt;
use std::str::FromStr;

use super::Moments;
use super::classifier::FEATURES;
use super::origin::Files;
use crate::BackendError;
use crate::checkpoint::Checkpoint;

/// Mean and covariance of the features of two halves of the real digits.
pub(super) const HALVES: &[u8] = include_bytes!("../../../models/digit-classifier/halves.safetensors");

/// Set of real images that generated images are compared with.
///
/// Use one half to search for the best settings and the other half to report the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// All real images.
    #[default]
    All,
    /// Every second image of each class, starting with the first.
    First,
    /// Every second image of each class, starting with the second.
    Second,
}

impl Reference {
    /// All references.
    pub const EACH: [Self; 3] = [Self::All, Self::First, Self::Second];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::First => "first",
            Self::Second => "second",
        }
    }

    /// Reads the mean and covariance of the features.
    pub(super) fn read(self, files: &mut Files) -> Result<Moments, BackendError> {
        let (checkpoint, part) = match self {
            Self::All => (&mut files.classifier, "reference"),
            Self::First => (&mut files.halves, "first"),
            Self::Second => (&mut files.halves, "second"),
        };
        let mean = read(checkpoint, format!("{part}.mean"), &[FEATURES])?;
        let covariance = read(checkpoint, format!("{part}.cov"), &[FEATURES, FEATURES])?;
        Moments::new(mean, covariance)
    }
}

fn read(checkpoint: &mut Checkpoint, name: String, expected: &[usize]) -> Result<Vec<f64>, BackendError> {
    let (file, expected) = (checkpoint.name().to_owned(), expected.to_vec());
    match checkpoint.info(&name).map(|info| info.shape.clone()) {
        None => Err(BackendError::MissingTensor { file, name, expected, hint: None, closest: None }),
        Some(found) if found != expected => Err(BackendError::TensorShape { file, name, found, expected }),
        Some(_) => checkpoint.read_f64(&name),
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
        Self::EACH.into_iter().find(|it| it.name() == name).ok_or("expected all, first or second")
    }
}
