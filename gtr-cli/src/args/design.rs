//! Arguments of `design`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::{ArSteps, Grid};

use super::{LossArgs, whole_number};

/// Design the schedule with the smallest loss.
///
/// The loss is the information lost by sampling the tokens of a step independently, computed on a field. The search covers
/// recursive bisections: both cuts, every number of stages, every order within a stage, and every distribution of the AR steps
/// over the stages, optimised by dynamic programming. --free then moves single tokens between steps, as a comparison with
/// unstructured steps. No image is generated. The same command always writes the same bytes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct DesignArgs {
    /// Token grid, rows first [default: that of --model, else 16x16].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Minimise the loss for this number of AR steps.
    #[arg(long, value_name = "N", required_unless_present = "loss", conflicts_with = "loss",
          value_parser = ar_steps)]
    pub(crate) ar_steps: Option<ArSteps>,
    /// Minimise the number of AR steps with at most this loss, in nats.
    #[arg(long, value_name = "NATS", value_parser = loss)]
    pub(crate) loss: Option<f64>,
    /// Improve the result by moving single tokens; the schedule then lists all of its steps.
    #[arg(long)]
    pub(crate) free: bool,
    /// Largest number of passes over the grid of --free.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "free", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Number of diffusion steps per AR step in the schedule; it does not affect the loss.
    #[arg(long, value_name = "T", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) t: u32,
    /// Seed of random orders.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number)]
    pub(crate) seed: u64,
    /// Number of images over which the loss of a random order is averaged.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(2..=4096))]
    pub(crate) images: u64,
    /// Use the grid of this model, and its field if it has one; no weights are needed.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) field: LossArgs,
    /// Write the schedule as a preset with the evidence, for --schedule of `plan`, `sample` and `eval`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Format of standard output.
    #[arg(long, value_enum, default_value_t = DesignFormat::Text)]
    pub(crate) format: DesignFormat,
}

/// Parses a number of AR steps.
fn ar_steps(text: &str) -> Result<ArSteps, String> {
    let number = text.parse().ok().and_then(|number| ArSteps::new(number).ok());
    number.ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

/// Parses an upper bound of the loss.
fn loss(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number of nats, 0 or more".to_owned())
}

/// Output format of a design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DesignFormat {
    /// Text.
    Text,
    /// JSON: the preset with its evidence.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli design --grid 16x16 --ar-steps 8 --out eight.json
  gtr-cli plan --schedule eight.json
  gtr-cli design --grid 16x16 --loss 0.5
  gtr-cli design --grid 12x20 --ar-steps 10 --field matern-3/2:3 --format json
  gtr-cli design --grid 8x8 --ar-steps 6 --free
  gtr-cli design --model digits --ar-steps 6";
