//! What can go wrong in a run.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::Display;

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;

/// Why work stops before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Somebody pressed ctrl-C.
    User,
    /// Another program asked for it: a scheduler of machines, `kill`.
    Program,
}

/// Why a run, or what is read and written for it, fails.
///
/// Every message is one line that says what was wrong, where, and what would be right. Options are called as `gtr-cli` calls them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is asked for is not possible as it is asked for. Nothing was written.
    #[error("{0}")]
    Request(String),
    /// A file, a folder, or what was found there is at fault.
    #[error("{0}")]
    Failure(String),
    /// The work was asked to stop, and something of it is left.
    #[error("stopped")]
    Interrupted(Interruption),
    /// A model is at fault.
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
    pub fn request(message: impl Display) -> Self {
        Self::Request(message.to_string())
    }

    /// `doing` something failed, with its causes in the same line.
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

/// An error and its causes in one line; a cause that the error repeats is said once.
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
    fn errors_are_small_enough_to_be_handed_up() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }
}
