//! Errors of evaluations, experiments and searches.

use std::error::Error as StdError;
use std::fmt::Display;

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;
use gtr_run::{Interruption, chain};

/// Error of an evaluation, an experiment or a search.
///
/// Every message is one line: what was wrong, where, and what would be right. Messages name options as `gtr-cli` does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is invalid.
    #[error("{0}")]
    Request(String),
    /// A file could not be read or written, or its content is invalid.
    #[error("{0}")]
    Failure(String),
    /// Interrupted. With a store, finished images are kept.
    #[error("stopped")]
    Interrupted(Interruption),
    /// Error of a model or of its classifier.
    #[error(transparent)]
    Backend(Box<BackendError>),
    /// A plan or a setting is invalid.
    #[error(transparent)]
    Core(#[from] gtr_core::Error),
    /// Sampling failed: the generator violated its contract or returned non-finite values.
    #[error(transparent)]
    Sample(Box<SampleError<BackendError>>),
}

impl Error {
    /// Returns an [`Error::Request`].
    pub(crate) fn request(message: impl Display) -> Self {
        Self::Request(message.to_string())
    }

    /// Returns an [`Error::Failure`]: `doing` names the operation, `error` its cause.
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
    fn errors_are_small() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }
}
