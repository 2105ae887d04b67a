//! `sample`: generates images.

use crate::args::SampleArgs;
use crate::error::{CliError, ExitStatus};

/// Carries out the command.
pub(super) fn run(_args: &SampleArgs) -> Result<ExitStatus, CliError> {
    Ok(ExitStatus::Success)
}
