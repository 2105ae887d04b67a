//! Arguments of `verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Verify plans against every rule of the plan format.
///
/// The exit code is 0 only if all files satisfy all rules.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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

const EXAMPLES: &str = "\
Examples:
  gtr-cli verify p.json
  gtr-cli plan --grid 8x8 --format json | gtr-cli verify -
  gtr-cli verify --known-only --format github plans/*.json
  gtr-cli verify --all-presets";
