//! Arguments of `cost`.

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::LossArgs;

/// Count the operations of presets on a model.
///
/// The count is that of the published code, computed from the plans: the encoder over the known tokens, the decoder over all
/// tokens, the diffusion head for each token and diffusion step, everything twice with guidance. If the paper has a figure for
/// the same model and preset, it is shown too. The loss is the information lost by sampling tokens of a step independently.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CostArgs {
    /// Model by name or path; no weights are needed.
    #[arg(long, value_name = "NAME|PATH", default_value = "mar-h")]
    pub(crate) model: String,
    /// Presets to count, separated by commas; may be repeated [default: those of the paper's table and of this project].
    #[arg(long = "preset", value_name = "NAME", value_delimiter = ',')]
    pub(crate) presets: Vec<String>,
    /// Preset that the others are compared with.
    #[arg(long, value_name = "NAME", default_value = "mar-64")]
    pub(crate) baseline: String,
    /// Token grid, rows first [default: the model's].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Count without classifier-free guidance.
    #[arg(long)]
    pub(crate) unguided: bool,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    /// Output format.
    #[arg(long, value_enum, default_value_t = CostFormat::Text)]
    pub(crate) format: CostFormat,
}

/// Output format of costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostFormat {
    /// Table.
    Text,
    /// JSON.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli cost --model mar-h
  gtr-cli cost --model mar-b --preset gtr-16,gtr-8 --preset mar-64
  gtr-cli cost --model lightgen-large --preset gtr-lightgen --baseline mar-32
  gtr-cli cost --model mar-b --preset mar-64,gtr-16 --field exponential:3
  gtr-cli cost --model digits --unguided --format json";
