//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;

/// Verify the shards of a run of many images, and merge them.
///
/// Every image is compared with the checksum in the manifest of its shard. Missing, deleted and changed images are reported.
/// To regenerate exactly these, run the command of the shard again with --resume.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// Folders written by `sample --shard`; one folder if all shards share it.
    #[arg(value_name = "FOLDER", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Write all images to a new folder with labels.jsonl, or to FILE.npz with `arr_0` (images) and `arr_1` (classes)
    /// [default: only verify].
    #[arg(short, long, value_name = "DIR|FILE.npz")]
    pub(crate) out: Option<PathBuf>,
    /// Number of channels in FILE.npz, 1 or 3; 3 repeats the channel of grey images, as many evaluation tools expect [default:
    /// the channels of the images].
    #[arg(long, value_name = "N", requires = "out", value_parser = super::bulk::channels)]
    pub(crate) channels: Option<u8>,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli merge images/
  gtr-cli merge images/ --out images.npz
  gtr-cli merge node1/ node2/ --out images/";
