//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;

/// Check the parts of a run of many images, and join them.
///
/// Every image is compared with the checksum that its part recorded. What is missing, deleted or changed is told; the command
/// that made the part, with --resume, makes exactly that again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// The folders that `sample --shard` wrote to; one, if the parts share it.
    #[arg(value_name = "FOLDER", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Write all images to a new folder, with labels.jsonl, or to a file.npz with `arr_0` (images) and `arr_1` (classes)
    /// [default: only check].
    #[arg(long, value_name = "DIR|FILE.npz")]
    pub(crate) out: Option<PathBuf>,
    /// Channels of FILE.npz: 3 writes a grey picture three times, as evaluators of colour pictures want it [default: those of
    /// the pictures].
    #[arg(long, value_name = "N", requires = "out", value_parser = super::bulk::channels)]
    pub(crate) channels: Option<u8>,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli merge images/
  gtr-cli merge images/ --out images.npz
  gtr-cli merge node1/ node2/ --out images/";
