//! Arguments of `presets`.

use std::path::PathBuf;

use clap::Args;
use gtr_core::Grid;

use super::{ListFormat, LossArgs};

/// List the presets, or show one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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

const EXAMPLES: &str = "\
Examples:
  gtr-cli presets
  gtr-cli presets gtr-paper
  gtr-cli presets --plot loss.svg
  gtr-cli presets gtr-16 --field matern-3/2:3";
