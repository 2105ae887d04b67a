//! Errors of the command line program, and its exit codes.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// Result of a command, which determines the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command succeeded, and all checks passed.
    Success,
    /// Error in a file, a model or a plan, or a failed check.
    Failure,
    /// Error in the command line.
    Usage,
    /// Stopped by Ctrl-C, after the current batch.
    Interrupted,
    /// Stopped by another signal, after the current batch.
    Terminated,
}

impl ExitStatus {
    /// Returns the exit code of the process.
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
            // 128 + signal number, the convention of shells.
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

/// Error of a command. The message is one line that says what is wrong and what is expected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Error in the command line.
    #[error("{0}")]
    Usage(String),
    /// Error in a file, a model or a plan, or of the system.
    #[error("{0}")]
    Failure(String),
    /// Stopped by a signal before the batch was finished.
    #[error("stopped")]
    Stopped,
}

impl CliError {
    /// Returns an error in the command line.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// Returns the failure of an operation, described by `doing`, with the causes of `error`.
    pub(crate) fn failure(doing: impl Display, error: &dyn Error) -> Self {
        Self::Failure(format!("{doing}: {}", chain(error)))
    }

    /// Returns the exit status for this error.
    pub(crate) fn status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Failure(_) | Self::Stopped => ExitStatus::Failure,
        }
    }
}

impl From<gtr_core::Error> for CliError {
    fn from(error: gtr_core::Error) -> Self {
        match error {
            gtr_core::Error::Unsound(_) => Self::Failure(error.to_string()),
            // The list of all presets does not fit a line.
            gtr_core::Error::UnknownPreset { name, .. } => {
                Self::usage(format_args!("unknown preset `{name}`: `gtr-cli presets` lists all presets"))
            }
            _ => Self::Usage(error.to_string()),
        }
    }
}

/// Returns the messages of an error and its causes in one line.
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
