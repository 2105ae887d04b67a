//! Errors of runs.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::Display;

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;

/// Reason for stopping before all work is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The user pressed Ctrl-C.
    User,
    /// Another program requested it, for example a job scheduler or `kill`.
    Program,
}

/// Error of a run, or of the files that it reads and writes.
///
/// Every message is one line that says what is wrong, where, and what is expected. Messages name the flags of `gtr-cli`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Invalid request. Nothing was written.
    #[error("{0}")]
    Request(String),
    /// Error in a file or a folder, or of the system.
    #[error("{0}")]
    Failure(String),
    /// Stopped on request before all work was finished.
    #[error("stopped")]
    Interrupted(Interruption),
    /// Error of a model.
    #[error(transparent)]
    Backend(Box<BackendError>),
    /// Error in a plan or a setting.
    #[error(transparent)]
    Core(#[from] gtr_core::Error),
    /// A generator violated its contract or returned values that are not finite.
    #[error(transparent)]
    Sample(Box<SampleError<BackendError>>),
}

impl Error {
    /// Returns an error for an invalid request.
    pub fn request(message: impl Display) -> Self {
        Self::Request(message.to_string())
    }

    /// Returns the failure of an operation, described by `doing`, with the causes of `error`.
    pub fn failure(doing: impl Display, error: &dyn StdError) -> Self {
        Self::Failure(format!("{doing}: {}", chain(error)))
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        Self::Backend(Box::new(error))
    }
}

impl<O: Into<Self>> From<SampleError<BackendError, O>> for Error {
    fn from(error: SampleError<BackendError, O>) -> Self {
        match error.split_observer() {
            Err(error) => error.into(),
            Ok(SampleError::Plan(error)) => error.into(),
            Ok(SampleError::Model(error)) => error.into(),
            Ok(SampleError::Setting(error)) => Self::Request(error.to_string()),
            Ok(error) => Self::Sample(Box::new(error)),
        }
    }
}

/// Returns the messages of an error and its causes in one line. A cause that an error repeats appears once.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some errors repeat their cause.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }
}
