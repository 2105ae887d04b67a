//! `inspect`: what a file of this program holds.

mod image;
mod replan;
mod trace;

use std::io::{Read as _, Seek as _};

use crate::args::InspectArgs;
use crate::ending;
use crate::error::{CliError, ExitStatus};
use crate::input::{self, is_stream};
use crate::output;

/// Carries out the command.
pub(super) fn run(args: &InspectArgs) -> Result<ExitStatus, CliError> {
    output::apart(
        &[("--out", args.out.as_deref()), ("--plan-out", args.plan_out.as_deref())],
        &[("the file that is inspected", Some(&args.file))],
    )?;
    let format = args.format()?;
    if let Some(path) = &args.plan_out {
        ending::check("--plan-out", path, "a plan", &["json"])?;
    }
    if args.out.is_none() && args.plan_out.as_deref().is_some_and(is_stream) {
        return Err(CliError::usage(
            "--plan-out - writes to standard output, as what is told does: name a file for one of them",
        ));
    }
    let mut file = input::seekable(&args.file)?;
    let mut start = Vec::new();
    let shown = args.file.display();
    let read = file.by_ref().take(START).read_to_end(&mut start).and_then(|_| file.rewind());
    read.map_err(|error| CliError::failure(format_args!("cannot read {shown}"), &error))?;
    if !holds_tensors(&start) {
        return image::run(args, format, file);
    }
    if ending::is_free(&args.file) {
        return Err(CliError::Failure(format!("{shown}: a trace cannot be read from a pipe; name its file")));
    }
    trace::run(args, format)
}

/// Bytes that tell what a file holds.
const START: u64 = 9;

/// Whether a file begins as safetensors files do: eight bytes for the length of a description in JSON, and that.
fn holds_tensors(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{')
}
