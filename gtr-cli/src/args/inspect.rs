//! Arguments of `inspect`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Tell how a picture was made, and which command makes it again.
///
/// The settings are those that `sample` records in its PNG files. The command makes the same bytes, with the same program on the
/// same kind of processor.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A PNG file that `sample` made.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How it is told.
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    pub(crate) format: InspectFormat,
    /// Write there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Save the plan of a picture; the command then uses it.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_out: Option<PathBuf>,
}

/// How a file is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// To be read.
    Text,
    /// A page for a browser.
    Html,
    /// To be processed.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli inspect seven.png
  gtr-cli inspect seven.png --format json
  gtr-cli inspect seven.png --plan-out p.json";
