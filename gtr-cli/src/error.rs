//! What can go wrong, and how the program then ends.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// All went well; what was checked holds.
    Success,
    /// A file, a model or a plan is at fault.
    Failure,
    /// The command line is at fault.
    Usage,
    /// Ctrl-C came; what was in hand is finished, the rest can be continued.
    Interrupted,
    /// The same, asked for by another program.
    Terminated,
}

impl ExitStatus {
    /// The code that the process ends with.
    pub(crate) fn code(self) -> i32 {
        u8::from(self).into()
    }
}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => 0,
            ExitStatus::Failure => 1,
            ExitStatus::Usage => 2,
            // 128 and the number of the signal, as shells say it.
            ExitStatus::Interrupted => 130,
            ExitStatus::Terminated => 143,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        u8::from(status).into()
    }
}

/// Why a command cannot be carried out, in one line that names the culprit and what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line is at fault.
    #[error("{0}")]
    Usage(String),
    /// A file, a model or a plan is at fault.
    #[error("{0}")]
    Failure(String),
    /// A signal came, and a batch was not finished.
    #[error("stopped")]
    Stopped,
}

impl CliError {
    /// The command line is at fault.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// `doing` something failed.
    pub(crate) fn failure(doing: impl Display, error: &dyn Error) -> Self {
        Self::Failure(format!("{doing}: {}", chain(error)))
    }

    /// How the program ends.
    pub(crate) fn status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Failure(_) | Self::Stopped => ExitStatus::Failure,
        }
    }
}

impl From<Infallible> for CliError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<gtr_core::Error> for CliError {
    fn from(error: gtr_core::Error) -> Self {
        match error {
            gtr_core::Error::Unsound(_) => Self::Failure(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
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
