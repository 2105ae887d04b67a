//! Arguments of `bench`.

use clap::{Args, ValueEnum};

use super::ModelArgs;

/// Benchmark presets.
///
/// The presets alternate in one process (A B A B ...), so that a slowdown of the machine affects all of them. The result has
/// the median and the spread over the rounds, the time of each part, the speedup over the first preset, and the executed
/// operations per second, also relative to the rate of matrix products of the device, measured in the same run. On a GPU each
/// part ends when the device has done its work, and a first round is not timed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// Presets to benchmark; the first is the baseline.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', default_value = "mar-16,gtr-16,gtr-8")]
    pub(crate) presets: Vec<String>,
    /// Number of images per batch.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) count: u32,
    /// Number of timed runs of each preset.
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Scale of classifier-free guidance; 1 disables it [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) format: BenchFormat,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Output format of timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    /// Table.
    Text,
    /// JSON, with the time of every round.
    Json,
    /// CSV, one line per preset.
    Csv,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli bench
  gtr-cli bench --model mar-b --random-weights --presets mar-64,gtr-16,gtr-8
  gtr-cli bench --model mar-b --random-weights --presets gtr-16 --count 8
  gtr-cli bench --presets gtr-paper,gtr-16 --rounds 9 --format csv";
