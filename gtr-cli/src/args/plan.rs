//! Arguments of `plan`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::{LossArgs, ScheduleArgs, whole_number};
use crate::ending;
use crate::error::CliError;

/// Plan a schedule on a grid, and show or save the plan.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct PlanArgs {
    /// Token grid, rows first [default: that of --model, else the home grid of the preset].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Show this plan, as `--format json` or `inspect --plan-out` wrote it; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grid", "compare"])]
    pub(crate) plan: Option<PathBuf>,
    /// Also draw the order of an image under this seed.
    #[arg(long, value_name = "N", value_parser = super::seed)]
    pub(crate) seed: Option<u64>,
    /// The image whose order `--seed` draws.
    #[arg(long, value_name = "M", default_value_t = 0, requires = "seed", value_parser = whole_number)]
    pub(crate) image: u64,
    /// How the plan is shown or kept [default: what the name of --out ends in, or a table].
    #[arg(long, value_enum)]
    format: Option<PlanFormat>,
    /// Write there instead of to standard output, which `-` names.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Show these presets side by side, in place of a plan.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) compare: Vec<String>,
    /// Plan as this model runs it: on its grid, over its timesteps, with the loss on its own field; no weights are needed.
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "plan")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArgs,
}

impl PlanArgs {
    /// How the plan is written: as it was said, or as the file's name says.
    pub(crate) fn format(&self) -> Result<PlanFormat, CliError> {
        let endings = [
            ("txt", PlanFormat::Table),
            ("json", PlanFormat::Json),
            ("svg", PlanFormat::Svg),
            ("png", PlanFormat::Png),
            ("html", PlanFormat::Html),
            ("htm", PlanFormat::Html),
        ];
        ending::decide(self.out.as_deref(), self.format, &endings, PlanFormat::Table)
    }
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// To be read: stages, numbers and drawings.
    Table,
    /// The plan format, for `verify` and `sample --plan`.
    Json,
    /// What the table says, as JSON, with the loss of each stage, AR step and token.
    Summary,
    /// A figure of the grid, the curves and what is known after each step.
    Svg,
    /// The same figure in pixels.
    Png,
    /// A page for a browser, to play the AR steps.
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

A flag changes one part of the preset. What the preset asks for is adapted to
a grid that cannot meet it, with a note; what a flag asks for is refused there.";
