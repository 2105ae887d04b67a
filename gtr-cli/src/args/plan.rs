//! Arguments of `plan`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::{LossArgs, ScheduleArgs, whole_number};
use crate::error::CliError;
use crate::extension;

/// Plan a schedule on a grid, and show or save the plan.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct PlanArgs {
    /// Token grid, rows first [default: that of --model, otherwise the home grid of the preset].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Show this plan, written by `--format json` or `inspect --plan-out`; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grid", "compare"])]
    pub(crate) plan: Option<PathBuf>,
    /// Also show the order of an image with this seed.
    #[arg(long, value_name = "N", value_parser = super::seed)]
    pub(crate) seed: Option<u64>,
    /// Number of the image whose order is shown by --seed.
    #[arg(long, value_name = "M", default_value_t = 0, requires = "seed", value_parser = whole_number)]
    pub(crate) image: u64,
    /// Output format [default: by the extension of --out, or a table].
    #[arg(long, value_enum)]
    format: Option<PlanFormat>,
    /// Write to this file; `-` is standard output [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Compare these presets instead of showing one plan.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) compare: Vec<String>,
    /// Use the grid, the timesteps and the field of this model; no weights are needed.
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "plan")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArgs,
}

impl PlanArgs {
    /// Returns the output format, from the flag or from the extension of the file.
    pub(crate) fn format(&self) -> Result<PlanFormat, CliError> {
        let endings = [
            ("txt", PlanFormat::Table),
            ("json", PlanFormat::Json),
            ("svg", PlanFormat::Svg),
            ("png", PlanFormat::Png),
            ("html", PlanFormat::Html),
            ("htm", PlanFormat::Html),
        ];
        extension::decide(self.out.as_deref(), self.format, &endings, PlanFormat::Table)
    }
}

/// Output format of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Text: stages, step counts and diagrams.
    Table,
    /// Plan file, for `verify` and `sample --plan`.
    Json,
    /// JSON with the content of the table and the loss of each stage, AR step and token.
    Summary,
    /// SVG figure of the grid, the curves and the known tokens after each step.
    Svg,
    /// The same figure as PNG.
    Png,
    /// Web page that plays the AR steps.
    Html,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli plan --grid 16x16
  gtr-cli plan --cut quincunx --stages 4 --seed 1
  gtr-cli plan --preset halton-16 --grid 24x32
  gtr-cli plan --steps 12,3,1 --t-max 40 --beta 0.2
  gtr-cli plan --preset gtr-16 --grid 8x8 --format json --out p.json
  gtr-cli plan --preset gtr-16 --out gtr-16.svg
  gtr-cli plan --plan p.json --out p.png
  gtr-cli plan --preset gtr-16 --model digits
  gtr-cli plan --preset mar-64 --field matern-3/2:3 --format summary
  gtr-cli plan --compare gtr-paper,mar-64,disa-24
  gtr-cli plan --preset gtr-16 --out plan.html
  gtr-cli plan --compare gtr-16,mar-64 --out both.html

Flags change single parameters of the preset. If the grid does not allow a
value of the preset, the value is adapted, with a note. A value given by a flag
is never adapted; it is an error instead.";
