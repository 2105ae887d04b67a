//! `inspect`: what a file of this program holds.

mod image;
mod replan;
mod trace;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::args::InspectArgs;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Carries out the command.
pub(super) fn run(args: &InspectArgs) -> Result<ExitStatus, CliError> {
    output::apart(
        &[("--out", args.out.as_deref()), ("--plan-out", args.plan_out.as_deref())],
        &[("the file that is inspected", Some(&args.file))],
    )?;
    if holds_tensors(&args.file) { trace::run(args) } else { image::run(args) }
}

/// Whether a file begins as safetensors files do: eight bytes for the length of a description in JSON, and that.
fn holds_tensors(path: &Path) -> bool {
    let mut start = [0; 9];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start[8] == b'{'
}
