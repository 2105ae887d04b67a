//! `convert`: converts a checkpoint to safetensors.

use gtr_backends::checkpoint::{ConvertOptions, Wanted, convert};
use gtr_core::count;

use crate::args::ConvertArgs;
use crate::error::{CliError, ExitStatus};
use crate::extension;
use crate::output;

/// Runs the command.
pub(super) fn run(args: &ConvertArgs) -> Result<ExitStatus, CliError> {
    extension::check("OUT", &args.output, "the converted weights", &["safetensors"])?;
    if extension::is_free(&args.output) {
        let out = args.output.display();
        return Err(CliError::usage(format_args!("OUT {out}: expected a file, found a pipe or a device")));
    }
    let mut options = ConvertOptions::default();
    options.section = Wanted::named_or(args.section.as_deref(), Wanted::Averaged);
    options.dtype = args.dtype.map(Into::into);
    let done = convert(&args.input, &args.output, &options)?;
    if let Some(note) = done.section.note() {
        output::note(format_args!("{}: {note}", args.input.display()));
    }
    let (tensors, parameters) = (count(done.tensors, "tensor"), count(done.parameters, "parameter"));
    output::print(&format!("{}: {tensors}, {parameters}, from {}\n", args.output.display(), done.section))?;
    Ok(ExitStatus::Success)
}
