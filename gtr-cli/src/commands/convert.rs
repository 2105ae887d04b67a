//! `convert`: any checkpoint to safetensors.

use gtr_backends::checkpoint::{ConvertOptions, convert};

use crate::args::ConvertArgs;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Carries out the command.
pub(super) fn run(args: &ConvertArgs) -> Result<ExitStatus, CliError> {
    let mut options = ConvertOptions::default();
    options.section = args.section.map(Into::into);
    options.dtype = args.dtype.map(Into::into);
    let done = convert(&args.input, &args.output, options)?;
    let (tensors, parameters) = (done.tensors, done.parameters);
    output::print(&format!(
        "{}: {tensors} tensors, {parameters} parameters, from {}\n",
        args.output.display(),
        done.section
    ))?;
    Ok(ExitStatus::Success)
}
