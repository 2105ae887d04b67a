//! Arguments of `schedulers`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::extension;

/// List the implementations of each axis of a schedule, with their parameters.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchedulersArgs {
    /// Show only the implementations with this name.
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Output format [default: by the extension of --out, or text].
    #[arg(long, value_enum)]
    format: Option<ReferenceFormat>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl SchedulersArgs {
    /// Returns the output format, from the flag or from the extension of the file.
    pub(crate) fn format(&self) -> Result<ReferenceFormat, CliError> {
        let endings =
            [("txt", ReferenceFormat::Text), ("json", ReferenceFormat::Json), ("md", ReferenceFormat::Markdown)];
        extension::decide(self.out.as_deref(), self.format, &endings, ReferenceFormat::Text)
    }
}

/// Output format of the schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferenceFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
    /// Markdown page for the documentation.
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli schedulers
  gtr-cli schedulers bisection
  gtr-cli schedulers --format json
  gtr-cli schedulers --format markdown --out docs/schedulers.md";
