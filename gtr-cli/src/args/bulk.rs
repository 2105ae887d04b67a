//! Arguments of `sample` for many images.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_run::bulk::{Layout, ShardChoice};

/// Many images, in parts that can be continued.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many images (--out is a folder or FILE.npz)")]
pub(crate) struct BulkArgs {
    /// Every class equally often: image m is of class m modulo the number of classes. --count is that of all images, and
    /// without --class it is all classes of the model.
    #[arg(long, value_enum, value_name = "HOW", conflicts_with_all = ["prompt", "prompts", "trace"])]
    pub(crate) classes: Option<Balance>,
    /// Prompts from a file of JSON lines, each with a `prompt`, as metadata.jsonl of GenEval; from the lines of a .txt, as those of
    /// T2I-CompBench; or from a folder with a .txt a prompt, as `dpg_bench/prompts` of DPG-Bench.
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["class", "prompt"])]
    pub(crate) prompts: Option<PathBuf>,
    /// How the folder is laid out [default: flat].
    #[arg(long, value_enum, value_name = "LAYOUT", conflicts_with = "trace")]
    pub(crate) layout: Option<LayoutName>,
    /// Channels of FILE.npz: 3 writes a grey picture three times, as evaluators of colour pictures want it [default: those of
    /// the pictures].
    #[arg(long, value_name = "N", value_parser = channels)]
    pub(crate) channels: Option<u8>,
    /// Make part I of N, counted from 0: 0/4 to 3/4. `auto` is the task of a Slurm array that counts from 0 or 1, `auto/N` also
    /// one of a partial array, or the index of a Kubernetes job.
    #[arg(long, value_name = "I/N", conflicts_with = "trace")]
    pub(crate) shard: Option<ShardChoice>,
    /// Continue where an earlier run of the same command stopped, if there was one.
    #[arg(long, conflicts_with = "trace")]
    pub(crate) resume: bool,
    /// Replace what another run left in the folder, or the .npz of that name; without it nothing that is there is lost.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
    /// Take no lock: for schedulers that run a part once at a time, where a file system has no locks and a killed process
    /// may be continued on another machine.
    #[arg(long, conflicts_with = "trace")]
    pub(crate) no_lock: bool,
}

/// How the files of a folder are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// 00000.png, a file an image, named by its number.
    Flat,
    /// 00000/metadata.jsonl and 00000/samples/0000.png, a folder a prompt, as the scorer of GenEval reads it.
    Geneval,
    /// `samples/PROMPT_000000.png`, as the scorers of T2I-CompBench read it.
    Compbench,
    /// NAME.png, a grid of the four images of the prompt NAME.txt, as the scorer of DPG-Bench reads it.
    Dpg,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Flat => Self::Flat,
            LayoutName::Geneval => Self::Geneval,
            LayoutName::Compbench => Self::Compbench,
            LayoutName::Dpg => Self::Dpg,
        }
    }
}

/// Channels of an archive.
pub(super) fn channels(text: &str) -> Result<u8, &'static str> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("write 1 (grey) or 3 (red, green, blue)"),
    }
}

/// How classes share the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Balance {
    /// In turn.
    Balanced,
}
