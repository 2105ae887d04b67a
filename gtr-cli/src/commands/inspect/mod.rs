//! `inspect`: shows the contents of a file of this program.

mod checkpoint;
mod image;
mod plan_flags;
mod trace;

use std::io::{Read as _, Seek as _};
use std::path::Path;

use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::trace::FORMAT;

use crate::args::InspectArgs;
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::extension;
use crate::input::{self, is_stream};
use crate::output;

/// Runs the command.
pub(super) fn run(args: &InspectArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    output::refuse_same_file(
        &[("--out", args.out.as_deref()), ("--plan-out", args.plan_out.as_deref())],
        &[("FILE", Some(&args.file))],
    )?;
    let format = args.format()?;
    if let Some(path) = &args.plan_out {
        extension::check("--plan-out", path, "a plan", &["json"])?;
    }
    if args.out.is_none() && args.plan_out.as_deref().is_some_and(is_stream) {
        return Err(CliError::usage(
            "--plan-out - and the report both use standard output: use a file for one of them",
        ));
    }
    let mut file = input::seekable(&args.file)?;
    let mut start = Vec::new();
    let read = file.by_ref().take(START).read_to_end(&mut start).and_then(|_| file.rewind());
    read.map_err(|error| gtr_run::reading::failed(&args.file, &error))?;
    let content = content(&args.file, &start);
    if matches!(content, Content::Trace | Content::Checkpoint) && extension::is_free(&args.file) {
        let shown = args.file.display();
        return Err(CliError::Failure(format!("{shown}: cannot read tensors from a pipe: give their file")));
    }
    match content {
        Content::Image => image::run(args, format, file, catalogue),
        Content::Trace => trace::run(args, format, &catalogue.registry),
        Content::Checkpoint => checkpoint::run(args, format, &catalogue.families),
    }
}

/// Type of a file, by its first bytes, otherwise by its name.
enum Content {
    Image,
    Trace,
    Checkpoint,
}

/// File extensions of checkpoints.
const CHECKPOINTS: [&str; 7] = [".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".th", ".index.json"];

/// Number of bytes that are read to find the type of a file.
const START: u64 = 16;

fn content(path: &Path, start: &[u8]) -> Content {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    // A safetensors file starts with eight bytes for the length of the header, then the header in JSON.
    let tensors = start.get(8) == Some(&b'{');
    if start.starts_with(b"\x89PNG") {
        Content::Image
    } else if tensors && Checkpoint::open(path).is_ok_and(|file| file.metadata().get("format") == Some(&FORMAT)) {
        Content::Trace
    } else if tensors || start.starts_with(b"PK") || CHECKPOINTS.iter().any(|ending| name.ends_with(ending)) {
        Content::Checkpoint
    } else {
        Content::Image
    }
}
