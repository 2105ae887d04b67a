//! Arguments of `schema`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print or write the JSON Schemas of the files of this program.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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

const EXAMPLES: &str = "\
Examples:
  gtr-cli schema plan
  gtr-cli schema --out-dir spec/schema
  gtr-cli schema --check spec/schema";
