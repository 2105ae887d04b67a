//! `inspect`: what a file of this program holds.

mod checkpoint;
mod image;
mod replan;
mod trace;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::trace::FORMAT;

use crate::args::InspectArgs;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Carries out the command.
pub(super) fn run(args: &InspectArgs) -> Result<ExitStatus, CliError> {
    output::apart(
        &[("--out", args.out.as_deref()), ("--plan-out", args.plan_out.as_deref())],
        &[("the file that is inspected", Some(&args.file))],
    )?;
    match content(&args.file) {
        Content::Image => image::run(args),
        Content::Trace => trace::run(args),
        Content::Checkpoint => checkpoint::run(args),
    }
}

/// What a file is by its first bytes, and where these tell nothing by its name.
enum Content {
    Image,
    Trace,
    Checkpoint,
}

/// The endings of checkpoints.
const CHECKPOINTS: [&str; 7] = [".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".th", ".index.json"];

fn content(path: &Path) -> Content {
    let mut start = Vec::new();
    // What cannot be read is said by whoever reads it next.
    let _ = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    // Eight bytes for the length of a header in JSON, and that.
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
