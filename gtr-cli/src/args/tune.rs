//! Arguments of `tune`.

use std::path::PathBuf;

use clap::Args;
use gtr_lab::tune::Budget;

use super::eval::SeriesArgs;
use super::{LossArgs, ModelArgs, seed, temperature};

/// Search for the schedule with the best measured quality within a budget.
///
/// The candidates are `gtr-16`, other known schedules, and random schedules: variations of known ones, or draws from the whole
/// search space of cut, number of stages, AR steps per stage, diffusion steps and beta. Some random schedules also set optional
/// axes, such as guidance or solver, to examples of registered kinds that the model can run. Each uses as many AR steps as the
/// budget allows. Three times as many random schedules are drawn as needed, and those whose orders have the smallest loss are
/// kept before any image is generated. The search then measures all candidates on few images, the better half on twice as
/// many, and so on (successive halving). Finally the best schedule is compared with `gtr-16` on new seeds and on the other half of the real
/// images, which the search has not used. --count and --seeds apply to this comparison.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct TuneArgs {
    /// Largest cost of an image: operations, as counted by `cost` (2e10); seconds (0.5s), converted at the speed of `gtr-16` in
    /// this run; or the cost of a preset (gtr-16).
    #[arg(long, value_name = "COST")]
    pub(crate) budget: Budget,
    /// Seed of the candidates and of the images of the search; must not be one of --seeds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed)]
    pub(crate) seed: u64,
    /// Number of candidates.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) candidates: u32,
    /// Number of images per candidate in the first round, a multiple of 10; doubled in each round.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=8000))]
    pub(crate) first_count: u32,
    /// Write the best schedule as a preset with the evidence, for --schedule of `sample`, `plan` and `eval`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Scale of classifier-free guidance [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// Scale of the noise added during denoising, 0 to 100.
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
