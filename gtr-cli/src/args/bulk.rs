//! Arguments of `sample` for many images.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_run::bulk::{FolderLayout, ShardChoice};

/// Arguments for many images, in shards that can be resumed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many images (--out is a folder or FILE.npz)")]
pub(crate) struct BulkArgs {
    /// Generate all classes equally often: image m has class m modulo the number of classes. --count is then the total number
    /// of images. Without --class all classes of the model are used.
    #[arg(long, value_enum, value_name = "HOW", conflicts_with_all = ["prompt", "prompts", "trace"])]
    pub(crate) classes: Option<Balance>,
    /// Read prompts from a JSON Lines file with the field `prompt` (GenEval: metadata.jsonl), from the lines of a .txt file
    /// (T2I-CompBench), or from a folder with one .txt file per prompt (DPG-Bench: `dpg_bench/prompts`).
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["class", "prompt"])]
    pub(crate) prompts: Option<PathBuf>,
    /// Layout of the folder [default: flat].
    #[arg(long, value_enum, value_name = "LAYOUT", conflicts_with = "trace")]
    pub(crate) layout: Option<LayoutName>,
    /// Number of channels in FILE.npz, 1 or 3; 3 repeats the channel of grey images, as many evaluation tools expect [default:
    /// the channels of the images].
    #[arg(long, value_name = "N", value_parser = channels)]
    pub(crate) channels: Option<u8>,
    /// Generate only shard I of N, counted from 0: 0/4 to 3/4. `auto` takes I and N from a Slurm array that starts at 0 or 1;
    /// `auto/N` takes I from a partial Slurm array or from the index of a Kubernetes job.
    #[arg(long, value_name = "I/N", conflicts_with = "trace")]
    pub(crate) shard: Option<ShardChoice>,
    /// Resume an earlier run of the same command, if there is one.
    #[arg(long, conflicts_with = "trace")]
    pub(crate) resume: bool,
    /// Replace the files of an earlier run in the folder, or an existing .npz file. Without this flag nothing is replaced.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
    /// Do not lock the folder. Use it on file systems without locks if the job scheduler never runs a shard twice at the same
    /// time, and a killed process may be resumed on another machine.
    #[arg(long, conflicts_with = "trace")]
    pub(crate) no_lock: bool,
}

/// Layout of the files in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// 00000.png: one file per image, named by its number.
    Flat,
    /// 00000/metadata.jsonl and 00000/samples/0000.png: one folder per prompt, for the scorer of GenEval.
    Geneval,
    /// `samples/PROMPT_000000.png`: for the scorers of T2I-CompBench.
    Compbench,
    /// NAME.png: a grid of the four images of the prompt NAME.txt, for the scorer of DPG-Bench.
    Dpg,
}

impl From<LayoutName> for FolderLayout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Flat => Self::Flat,
            LayoutName::Geneval => Self::Geneval,
            LayoutName::Compbench => Self::Compbench,
            LayoutName::Dpg => Self::Dpg,
        }
    }
}

/// Parses the number of channels of an archive.
pub(super) fn channels(text: &str) -> Result<u8, &'static str> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("expected 1 (grey) or 3 (RGB)"),
    }
}

/// Distribution of classes over the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Balance {
    /// All classes in turn.
    Balanced,
}
