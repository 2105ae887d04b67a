//! Arguments of `design`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::{ArSteps, Grid};

use super::{LossArgs, whole_number};

/// Design the schedule that loses least.
///
/// The loss is the information that drawing tokens together throws away, on a field. Searched are recursive bisections: both
/// cuts, every number of stages, every order within a stage, and every way to share the AR steps among the stages,
/// of which a dynamic programme finds the best. --free then moves single tokens between steps, to show how far that is from
/// steps without any structure. No image is made, and the same command writes the same bytes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct DesignArgs {
    /// Token grid, rows first [default: that of --model, else 16x16].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Find the least loss at this number of AR steps.
    #[arg(long, value_name = "N", required_unless_present = "loss", conflicts_with = "loss",
          value_parser = ar_steps)]
    pub(crate) ar_steps: Option<ArSteps>,
    /// Find the fewest AR steps that lose at most so much.
    #[arg(long, value_name = "NATS", value_parser = loss)]
    pub(crate) loss: Option<f64>,
    /// Then improve the steps token by token; the schedule lists all of its steps.
    #[arg(long)]
    pub(crate) free: bool,
    /// Rounds over the grid of --free at most.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "free", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Diffusion steps of every AR step; the loss does not depend on them.
    #[arg(long, value_name = "T", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) t: u32,
    /// What the orders of the images grow from that a random order is averaged over.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number)]
    pub(crate) seed: u64,
    /// Images that a random order is averaged over.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(2..=4096))]
    pub(crate) images: u64,
    /// Design for this model: its grid, and its own field if it has one; no weights are needed.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) field: LossArgs,
    /// Write the schedule as a preset, with the evidence: for --schedule of `plan`, `sample` and `eval`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How the result is written to standard output.
    #[arg(long, value_enum, default_value_t = DesignFormat::Text)]
    pub(crate) format: DesignFormat,
}

/// A number of AR steps.
fn ar_steps(text: &str) -> Result<ArSteps, String> {
    let number = text.parse().ok().and_then(|number| ArSteps::new(number).ok());
    number.ok_or_else(|| "write a whole number, 1 or more".to_owned())
}

/// A loss to be kept to.
fn loss(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "write a number of nats, 0 or more".to_owned())
}

/// How a design is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DesignFormat {
    /// To be read.
    Text,
    /// The preset with its evidence.
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
