//! Arguments of `inspect`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::extension;

/// Show the settings of a generated image, a recorded trace, or the contents of a checkpoint.
///
/// `sample` stores the settings of an image in its PNG file. `inspect` prints them, with the command that generates the same
/// image again: the same bytes with the same version on the same kind of processor. Of a checkpoint, only the headers are
/// read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// PNG file written by `sample`, trace written by `sample --trace`, or checkpoint; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Output format [default: by the extension of --out, or text].
    #[arg(long, value_enum)]
    format: Option<InspectFormat>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write the plan to this file. The printed command of an image then uses it, unless the image has a mask.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_out: Option<PathBuf>,
}

impl InspectArgs {
    /// Returns the output format, from the flag or from the extension of the file.
    pub(crate) fn format(&self) -> Result<InspectFormat, CliError> {
        let endings = [
            ("txt", InspectFormat::Text),
            ("json", InspectFormat::Json),
            ("html", InspectFormat::Html),
            ("htm", InspectFormat::Html),
        ];
        extension::decide(self.out.as_deref(), self.format, &endings, InspectFormat::Text)
    }
}

/// Output format of an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// Text.
    Text,
    /// Web page with the AR steps of a trace.
    Html,
    /// JSON.
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
