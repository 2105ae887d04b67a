//! Errors of the command line program, and its exit codes.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;
use gtr_run::Interruption;
pub(crate) use gtr_run::chain;

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

impl From<Interruption> for ExitStatus {
    fn from(reason: Interruption) -> Self {
        match reason {
            Interruption::User => Self::Interrupted,
            Interruption::Program => Self::Terminated,
        }
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
    /// Stopped by a signal before the work was finished.
    #[error("stopped")]
    Interrupted(Interruption),
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
            Self::Failure(_) => ExitStatus::Failure,
            Self::Interrupted(reason) => (*reason).into(),
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
            // The list of all presets does not fit on one line.
            gtr_core::Error::UnknownPreset { name, .. } => {
                Self::usage(format_args!("unknown preset `{name}`: `gtr-cli presets` lists all presets"))
            }
            _ => Self::Usage(error.to_string()),
        }
    }
}

impl From<gtr_draw::Error> for CliError {
    fn from(error: gtr_draw::Error) -> Self {
        match error {
            gtr_draw::Error::TooManyPlans { found, most } => Self::usage(format_args!(
                "--format html shows at most {most} plans side by side, not {found}: name fewer in --compare"
            )),
            gtr_draw::Error::GridTooLarge { grid, most } => Self::usage(format_args!(
                "--format html draws grids of at most {most} rows and columns, not {grid}: choose another format"
            )),
            gtr_draw::Error::Plan(error) => error.into(),
            error => Self::Failure(chain(&error)),
        }
    }
}

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::UnknownModel { .. }
            | BackendError::NotHere { .. }
            | BackendError::Class { .. }
            | BackendError::ClassName { .. } => Self::Usage(chain(&error)),
            _ => Self::Failure(chain(&error)),
        }
    }
}

impl From<SampleError<BackendError>> for CliError {
    fn from(error: SampleError<BackendError>) -> Self {
        gtr_run::Error::from(error).into()
    }
}

/// Converts errors of the library crates. An invalid request becomes an error in the command line.
macro_rules! from_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                type Work = $error;
                match error {
                    Work::Request(reason) => Self::Usage(reason),
                    Work::Failure(reason) => Self::Failure(reason),
                    Work::Interrupted(reason) => Self::Interrupted(reason),
                    Work::Backend(error) => (*error).into(),
                    Work::Core(error) => error.into(),
                    error => Self::Failure(chain(&error)),
                }
            }
        }
    )*};
}

from_errors!(gtr_run::Error, gtr_lab::Error);
