//! Arguments of `tune`.

use std::path::PathBuf;

use clap::Args;
use gtr_lab::tune::Budget;

use super::eval::SeriesArgs;
use super::{LossArgs, ModelArgs, seed, temperature};

/// Search the schedule with the best measured quality under a budget.
///
/// Candidates are drawn around the known presets and anywhere else: the cut, how many stages, AR steps of each, diffusion steps
/// and beta, with as many AR steps as the budget affords; of three times as many, those that lose least by `plan` go on, before
/// any image is made. All of these are measured on a few images, the better half on twice as many, and so
/// on; `gtr-16` in as many steps as the budget affords is always one of them. What is found is then compared with it on
/// images of other seeds and another half of the real digits, neither of which the search has seen: --count and --seeds are
/// of this comparison.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct TuneArgs {
    /// What an image may cost: operations, as `cost` counts them (2e10); seconds (0.5s), at the rate at which this run
    /// makes images of `gtr-16`; or as much as a preset (gtr-16).
    #[arg(long, value_name = "COST")]
    pub(crate) budget: Budget,
    /// What candidates grow from and the images by which they are searched; none of --seeds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed)]
    pub(crate) seed: u64,
    /// How many candidates there are.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) candidates: u32,
    /// Images of each candidate in the first round, a multiple of 10; each round doubles it.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=8000))]
    pub(crate) first_count: u32,
    /// Write what is found as a preset, with the evidence: for --schedule of `sample`, `plan` and `eval`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Scale of classifier-free guidance [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// Factor of the noise that is added while denoising.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    pub(crate) temperature: f64,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli tune --budget gtr-16 --store seen/ --out tuned.json
  gtr-cli tune --budget 2e10 --candidates 64 --first-count 50 --store seen/
  gtr-cli tune --budget 0.5s --count 2000 --seeds 2,3 --store seen/
  gtr-cli sample --schedule tuned.json --class 7 --out seven.png
  gtr-cli eval --presets gtr-16 --schedule tuned.json --reference second";
