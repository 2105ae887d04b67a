//! `inspect`: what a file of this program holds.

mod image;
mod replan;

use crate::args::InspectArgs;
use crate::error::{CliError, ExitStatus};

/// Carries out the command.
pub(super) fn run(args: &InspectArgs) -> Result<ExitStatus, CliError> {
    image::run(args)
}
