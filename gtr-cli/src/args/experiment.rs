//! Arguments of `experiment`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelArgs, SeriesArgs};

/// Run a named experiment: a table of the paper on a small model.
///
/// An experiment compares schedules on the same model with the same images. It writes a page with a table and the claims of
/// the paper, each confirmed or not, and the same data as CSV and JSON. The output does not depend on the clock.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExperimentArgs {
    /// Experiment to run, or `all` [default: list the experiments].
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Write NAME.md, .svg, .csv and .json to this folder [default: print the page].
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli experiment
  gtr-cli experiment table-5 --store seen/
  gtr-cli experiment all --store seen/ --out docs/results";
