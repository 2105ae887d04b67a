//! What can go wrong in an evaluation.

use std::error::Error as StdError;
use std::fmt::Display;

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;
use gtr_run::{Interruption, chain};

/// Why something is not judged, compared or found.
///
/// Every message is one line that says what was wrong, where, and what would be right. Options are called as `gtr-cli` calls them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is asked for is not possible as it is asked for.
    #[error("{0}")]
    Request(String),
    /// A file, or what was found there, is at fault.
    #[error("{0}")]
    Failure(String),
    /// It was asked to stop; what is finished is kept, where something keeps it.
    #[error("stopped")]
    Interrupted(Interruption),
    /// A model or its judge is at fault.
    #[error(transparent)]
    Backend(Box<BackendError>),
    /// A plan or a setting is at fault.
    #[error(transparent)]
    Core(#[from] gtr_core::Error),
    /// A generator broke what it promises, or made numbers that are none.
    #[error(transparent)]
    Sample(Box<SampleError<BackendError>>),
}

impl Error {
    /// What is asked for is not possible.
    pub(crate) fn request(message: impl Display) -> Self {
        Self::Request(message.to_string())
    }

    /// `doing` something failed.
    pub(crate) fn failure(doing: impl Display, error: &dyn StdError) -> Self {
        Self::Failure(format!("{doing}: {}", chain(error)))
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        Self::Backend(Box::new(error))
    }
}

impl From<gtr_run::Error> for Error {
    fn from(error: gtr_run::Error) -> Self {
        match error {
            gtr_run::Error::Request(reason) => Self::Request(reason),
            gtr_run::Error::Failure(reason) => Self::Failure(reason),
            gtr_run::Error::Interrupted(reason) => Self::Interrupted(reason),
            gtr_run::Error::Backend(error) => Self::Backend(error),
            gtr_run::Error::Core(error) => error.into(),
            gtr_run::Error::Sample(error) => Self::Sample(error),
            error => Self::Failure(chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small_enough_to_be_handed_up() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }
}
