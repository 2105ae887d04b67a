//! Arguments of `experiment`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelArgs, SeriesArgs};

/// Make a named experiment again: the paper's tables in small.
///
/// Each compares some schedules on the same model with the same images, and writes a page with a table, what the paper says
/// and whether it came out, and the same as CSV and JSON. Nothing that is written depends on the clock.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExperimentArgs {
    /// The experiment, or `all`; without a name they are listed.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The folder in which NAME.md, .svg, .csv and .json are written [default: the page is printed].
    #[arg(long, value_name = "DIR")]
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
