//! Arguments of `conform`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::whole_number;

/// Compare this program with recordings of others, or with its own traces.
///
/// A folder of recordings holds a model's configuration, weights, inputs, noises and outputs; its kind is the start of its
/// name (`mar_`, `lightgen_`, `vae_kl16_`). The same numbers are computed here, and the largest difference of each quantity is
/// printed. The exit code is 0 only if all are within their tolerance and there was something to compare.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConformArgs {
    /// Folders of recordings, folders of such folders, recordings, or traces of `sample --trace`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The largest difference allowed, instead of each recording's own; what must be exact stays so.
    #[arg(long, value_name = "X", value_parser = tolerance, allow_negative_numbers = true)]
    pub(crate) tolerance: Option<f64>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = ConformFormat::Text)]
    pub(crate) format: ConformFormat,
    /// The model that traces are replayed with [default: the built-in one that a trace names].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,
    /// Weights of that model.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) weights: Option<PathBuf>,
    /// Random weights of that model.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0",
          conflicts_with = "weights", requires = "model", value_parser = whole_number)]
    pub(crate) random_weights: Option<u64>,
}

/// How the result of a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConformFormat {
    /// A table, then notes and problems.
    Text,
    /// To be processed.
    Json,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    value.ok_or_else(|| "write a number that is 0 or more".to_owned())
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli conform recordings/
  gtr-cli conform recordings/vae_kl16_tiny --tolerance 1e-3
  gtr-cli sample --class 7 --out seven.png --trace seven.safetensors
  gtr-cli conform seven.safetensors";
