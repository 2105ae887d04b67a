//! Arguments of the commands with few arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::LossArgs;

use crate::error::CliError;
use crate::extension;

/// Verify plans against every rule of the plan format.
///
/// The exit code is 0 only if all files satisfy all rules.
#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// Plan files; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "all_presets")]
    pub(crate) files: Vec<PathBuf>,
    /// Plan every preset on its home grid and on several other grids, and verify the written plans.
    #[arg(long)]
    pub(crate) all_presets: bool,
    /// Fail if a schedule uses an unknown implementation. Such a plan is only partly verified.
    #[arg(long)]
    pub(crate) known_only: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub(crate) format: VerifyFormat,
}

/// Output format of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// One line per valid file and one line per violated rule.
    Text,
    /// JSON array of the violated rules; empty if all plans are valid.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

const VERIFY: &str = "\
Examples:
  gtr-cli verify p.json
  gtr-cli plan --grid 8x8 --format json | gtr-cli verify -
  gtr-cli verify --known-only --format github plans/*.json
  gtr-cli verify --all-presets";

/// List the implementations of each axis of a schedule, with their parameters.
#[derive(Debug, Args)]
#[command(after_help = SCHEDULERS)]
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

const SCHEDULERS: &str = "\
Examples:
  gtr-cli schedulers
  gtr-cli schedulers bisection
  gtr-cli schedulers --format json
  gtr-cli schedulers --format markdown --out docs/schedulers.md";

/// List the presets, or show one.
#[derive(Debug, Args)]
#[command(after_help = PRESETS)]
pub(crate) struct PresetsArgs {
    /// Show only this preset, with its schedule.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,
    /// Plot the loss of the presets against their AR steps to this file, .svg or .png, instead of listing them.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Token grid of --plot, rows first [default: 16x16].
    #[arg(long, value_name = "HxW", requires = "plot")]
    pub(crate) grid: Option<Grid>,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
}

const PRESETS: &str = "\
Examples:
  gtr-cli presets
  gtr-cli presets gtr-paper
  gtr-cli presets --plot loss.svg
  gtr-cli presets gtr-16 --field matern-3/2:3";

/// Output format of a list or a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Print or write the JSON Schemas of the files of this program.
#[derive(Debug, Args)]
#[command(after_help = SCHEMA)]
pub(crate) struct SchemaArgs {
    /// Schema to print.
    #[arg(value_name = "NAME", value_enum, required_unless_present_any = ["out_dir", "check"])]
    pub(crate) name: Option<SchemaName>,
    /// Write all schemas to this folder. The folder is created if its parent exists.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Fail if a schema in this folder is missing or out of date.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "out_dir"])]
    pub(crate) check: Option<PathBuf>,
}

const SCHEMA: &str = "\
Examples:
  gtr-cli schema plan
  gtr-cli schema --out-dir spec/schema
  gtr-cli schema --check spec/schema";

/// Name of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// Plan, as written by `plan --format json`.
    Plan,
    /// Schedule, as read by `plan --schedule`.
    Schedule,
    /// Preset, as written by `design --out` and `tune --out`.
    Preset,
    /// Result of `verify --format json`.
    Verification,
}

/// Print shell completions.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// Shell to print completions for.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

const COMPLETIONS: &str = "\
Examples:
  gtr-cli completions bash > ~/.local/share/bash-completion/completions/gtr-cli
  gtr-cli completions fish > ~/.config/fish/completions/gtr-cli.fish";

/// Write the manual pages of all commands.
///
/// For packagers. `gtr-cli help` shows the same texts.
#[derive(Debug, Args)]
#[command(hide = true, after_help = MAN)]
pub(crate) struct ManArgs {
    /// Write the pages to this folder. The folder is created if its parent exists.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: PathBuf,
}

const MAN: &str = "\
Examples:
  gtr-cli man --out-dir man1";
