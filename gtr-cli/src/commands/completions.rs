//! `completions`: prints shell completions.

use crate::args::{CompletionsArgs, command};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Runs the command.
pub(super) fn run(args: &CompletionsArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(catalogue), "gtr-cli", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Success)
}
