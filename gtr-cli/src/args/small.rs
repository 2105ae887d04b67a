//! Arguments of the commands that take few.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::LossArgs;

use crate::ending;
use crate::error::CliError;

/// Check plans against every rule of the plan format.
///
/// The exit code is 0 only if every rule holds in every file.
#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// Plan files; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "all_presets")]
    pub(crate) files: Vec<PathBuf>,
    /// Plan every preset on its home grid and on odd ones, write each plan and check what was written.
    #[arg(long)]
    pub(crate) all_presets: bool,
    /// Fail for a plan whose schedule names an implementation that is not registered here, and so is checked in part only.
    #[arg(long)]
    pub(crate) known_only: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub(crate) format: VerifyFormat,
}

/// How the result of a check is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// A line a sound file and a line a broken rule.
    Text,
    /// An array of the broken rules: empty if every plan is sound.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
}

const VERIFY: &str = "\
Examples:
  gtr-cli verify p.json
  gtr-cli plan --grid 8x8 --format json | gtr-cli verify -
  gtr-cli verify --known-only --format github plans/*.json
  gtr-cli verify --all-presets";

/// List the implementations of each axis of a schedule, and what they take.
#[derive(Debug, Args)]
#[command(after_help = SCHEDULERS)]
pub(crate) struct SchedulersArgs {
    /// Only those of this name.
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// How the list is written [default: what the name of --out ends in, or text].
    #[arg(long, value_enum)]
    format: Option<ReferenceFormat>,
    /// Write there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl SchedulersArgs {
    /// How the list is written: as it was said, or as the file's name says.
    pub(crate) fn format(&self) -> Result<ReferenceFormat, CliError> {
        let endings =
            [("txt", ReferenceFormat::Text), ("json", ReferenceFormat::Json), ("md", ReferenceFormat::Markdown)];
        ending::decide(self.out.as_deref(), self.format, &endings, ReferenceFormat::Text)
    }
}

/// How the reference of the schedulers is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferenceFormat {
    /// To be read in a terminal.
    Text,
    /// To be processed.
    Json,
    /// A page of the documentation.
    Markdown,
}

const SCHEDULERS: &str = "\
Examples:
  gtr-cli schedulers
  gtr-cli schedulers bisection
  gtr-cli schedulers --format json
  gtr-cli schedulers --format markdown --out docs/schedulers.md";

/// List the named schedules.
#[derive(Debug, Args)]
#[command(after_help = PRESETS)]
pub(crate) struct PresetsArgs {
    /// Only this one, with its schedule.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How the list is written.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,
    /// Draw the loss of the presets over their AR steps to this file, .svg or .png, in place of the list.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// The grid of --plot, rows first [default: 16x16].
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

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// To be read.
    Text,
    /// To be processed.
    Json,
}

/// Print or write the JSON Schemas of what this program reads and writes.
#[derive(Debug, Args)]
#[command(after_help = SCHEMA)]
pub(crate) struct SchemaArgs {
    /// The schema to print.
    #[arg(value_name = "NAME", value_enum, required_unless_present_any = ["out_dir", "check"])]
    pub(crate) name: Option<SchemaName>,
    /// Write all schemas into this folder, which is made where the folder above it is there.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Fail if a schema in this folder is not what would be written.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "out_dir"])]
    pub(crate) check: Option<PathBuf>,
}

const SCHEMA: &str = "\
Examples:
  gtr-cli schema plan
  gtr-cli schema --out-dir spec/schema
  gtr-cli schema --check spec/schema";

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// A plan: what `plan --format json` writes.
    Plan,
    /// A schedule: what `plan --schedule` reads.
    Schedule,
    /// A preset.
    Preset,
    /// The result of `verify --format json`.
    Verification,
}

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

const COMPLETIONS: &str = "\
Examples:
  gtr-cli completions bash > ~/.local/share/bash-completion/completions/gtr-cli
  gtr-cli completions fish > ~/.config/fish/completions/gtr-cli.fish";

/// Write the manual pages of all commands.
///
/// Packages contain them; users have `help`.
#[derive(Debug, Args)]
#[command(hide = true, after_help = MAN)]
pub(crate) struct ManArgs {
    /// The folder that the pages are written into. It is created if its parent exists.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: PathBuf,
}

const MAN: &str = "\
Examples:
  gtr-cli man --out-dir man1";
