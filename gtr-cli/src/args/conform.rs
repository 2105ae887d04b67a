//! Arguments of `conform`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_backends::conform::Tolerances;
use gtr_backends::{Compute, Precision};

use super::model::{CPU, open_device, precision, with_graphs};
use super::whole_number;
use crate::error::CliError;

/// Compare this program with recordings of other implementations, or with its own traces.
///
/// A folder of recordings holds the configuration, weights, inputs, noise and outputs of a model. The prefix of its name is
/// its kind (`mar_`, `lightgen_`, `vae_kl16_`). This program recomputes the outputs and prints the largest difference of each
/// quantity. The exit code is 0 only if all differences are within tolerance and at least one quantity was compared.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConformArgs {
    /// Recordings, folders of recordings (searched recursively), or traces of `sample --trace`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Allowed differences: `recorded` (those of the recordings, for f32 on the CPU), `rounding` (also those of the type: 0.001 of
    /// the largest value of a quantity in f32, 0.05 in f16, 0.3 in bf16), or a number in place of all; exact quantities stay exact.
    #[arg(long, value_name = "WORD|X", value_parser = tolerances, default_value_t = Tolerances::Recorded,
          allow_negative_numbers = true)]
    pub(crate) tolerance: Tolerances,
    /// Device: cpu, cuda:N, or auto (cuda:0 if available, otherwise cpu).
    #[arg(long, value_name = "DEVICE", default_value = CPU)]
    pub(crate) device: String,
    /// Compute on the CPU as on a GPU: by the same operations in the same order. Slow; a test of the code for GPUs.
    #[arg(long)]
    pub(crate) through_device_path: bool,
    /// Run the diffusion head as CUDA graphs; with --through-device-path, repeat its evaluations on the same memory.
    #[arg(long)]
    pub(crate) cuda_graphs: bool,
    /// Type of the weight matrices [default: f32, or the type that a trace records].
    #[arg(long, value_name = "TYPE", value_parser = precision())]
    pub(crate) dtype: Option<Precision>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = ConformFormat::Text)]
    pub(crate) format: ConformFormat,
    /// Model to replay traces with [default: the built-in model that the trace names].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: Option<String>,
    /// Weights of the model.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) weights: Option<PathBuf>,
    /// Use random weights from this seed [default without a value: 0].
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0",
          conflicts_with = "weights", requires = "model", value_parser = whole_number)]
    pub(crate) random_weights: Option<u64>,
}

/// Output format of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConformFormat {
    /// Table, then notes and problems.
    Text,
    /// JSON.
    Json,
}

impl ConformArgs {
    /// Returns device and type of the models, and whether they use CUDA graphs; f32 unless another type is given.
    pub(crate) fn compute(&self) -> Result<Compute, CliError> {
        let compute = Compute::from(&open_device(&self.device)?).with_precision(self.dtype.unwrap_or_default());
        let compute = if self.through_device_path { compute.through_device_path() } else { compute };
        with_graphs(compute, self.cuda_graphs)
    }
}

fn tolerances(text: &str) -> Result<Tolerances, String> {
    match text {
        "recorded" => Ok(Tolerances::Recorded),
        "rounding" => Ok(Tolerances::Rounding),
        _ => {
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
            let value = value.ok_or_else(|| "expected recorded, rounding, or a number, 0 or more".to_owned());
            value.map(Tolerances::Number)
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli conform recordings/
  gtr-cli conform recordings/vae_kl16_tiny --tolerance 1e-3
  gtr-cli sample --class 7 --out seven.png --trace seven.safetensors
  gtr-cli conform seven.safetensors
  gtr-cli conform recordings/ --device cuda:0 --tolerance rounding";
