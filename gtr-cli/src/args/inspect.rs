//! Arguments of `inspect`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ending;
use crate::error::CliError;

/// Tell how a picture was made, and which command makes it again; show a run that `sample --trace` recorded; or list what a
/// checkpoint holds.
///
/// The settings of a picture are those that `sample` records in its PNG files. The command makes the same bytes, with the same
/// program on the same kind of processor. Of a checkpoint only the headers are read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A PNG file that `sample` made, a trace of it, or a checkpoint; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How it is told [default: what the name of --out ends in, or text].
    #[arg(long, value_enum)]
    format: Option<InspectFormat>,
    /// Write there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Save the plan; the command of a picture then uses it, unless it has a mask.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_out: Option<PathBuf>,
}

impl InspectArgs {
    /// How it is told: as it was said, or as the file's name says.
    pub(crate) fn format(&self) -> Result<InspectFormat, CliError> {
        let endings = [
            ("txt", InspectFormat::Text),
            ("json", InspectFormat::Json),
            ("html", InspectFormat::Html),
            ("htm", InspectFormat::Html),
        ];
        ending::decide(self.out.as_deref(), self.format, &endings, InspectFormat::Text)
    }
}

/// How a file is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// To be read.
    Text,
    /// A page for a browser, of a trace.
    Html,
    /// To be processed.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli inspect seven.png
  gtr-cli inspect seven.png --format json
  gtr-cli inspect seven.png --plan-out p.json
  gtr-cli sample --class 7 --out - | gtr-cli inspect -
  gtr-cli inspect seven.safetensors
  gtr-cli inspect seven.safetensors --format html --out run.html
  gtr-cli inspect checkpoint-last.pth --format json";
