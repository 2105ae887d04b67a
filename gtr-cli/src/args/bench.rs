//! Arguments of `bench`.

use clap::{Args, ValueEnum};

use super::ModelArgs;

/// Time presets side by side.
///
/// The presets take turns in one process (A B A B ...), so that what slows the machine down slows all of them. Printed are
/// medians over the rounds, the spread, the time of each part, the speed over the first preset, and the operations that
/// were executed a second, also as a share of this machine's rate of matrix products, measured in the same run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// Presets to time; the first is what the others are compared with.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', default_value = "mar-16,gtr-16,gtr-8")]
    pub(crate) presets: Vec<String>,
    /// Images that run at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) count: u32,
    /// How often each preset is timed.
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Scale of classifier-free guidance, 1 for none [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub(crate) format: BenchFormat,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// How timings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    /// A table.
    Text,
    /// To be processed, with the time of every round.
    Json,
    /// A line a preset.
    Csv,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli bench
  gtr-cli bench --model mar-b --random-weights --presets mar-64,gtr-16,gtr-8
  gtr-cli bench --model mar-b --random-weights --presets gtr-16 --count 8
  gtr-cli bench --presets gtr-paper,gtr-16 --rounds 9 --format csv";
