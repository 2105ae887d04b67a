//! Arguments of `cost`.

use clap::{Args, ValueEnum};
use gtr_core::Grid;

use super::LossArgs;

/// Count what presets cost on a model, in operations.
///
/// Counted is the published arithmetic, from the plans: the encoder over the known tokens, the decoder over all of them, the
/// diffusion head for each token and diffusion step, all twice with guidance. Where the paper has a figure for the same model
/// and preset, it stands beside. The loss is the information that drawing tokens together throws away.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CostArgs {
    /// The model, by name or path; no weights are needed.
    #[arg(long, value_name = "NAME|PATH", default_value = "mar-h")]
    pub(crate) model: String,
    /// Presets to count; may be given more than once, or parted by commas [default: those of the paper's table and ours].
    #[arg(long = "preset", value_name = "NAME", value_delimiter = ',')]
    pub(crate) presets: Vec<String>,
    /// What the others are compared with.
    #[arg(long, value_name = "NAME", default_value = "mar-64")]
    pub(crate) baseline: String,
    /// Token grid, rows first [default: the model's].
    #[arg(long, value_name = "HxW")]
    pub(crate) grid: Option<Grid>,
    /// Count images without classifier-free guidance.
    #[arg(long)]
    pub(crate) unguided: bool,
    #[command(flatten)]
    pub(crate) loss: LossArgs,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = CostFormat::Text)]
    pub(crate) format: CostFormat,
}

/// How costs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostFormat {
    /// A table.
    Text,
    /// To be processed.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli cost --model mar-h
  gtr-cli cost --model mar-b --preset gtr-16,gtr-8 --preset mar-64
  gtr-cli cost --model lightgen-large --preset gtr-lightgen --baseline mar-32
  gtr-cli cost --model mar-b --preset mar-64,gtr-16 --field exponential:3
  gtr-cli cost --model digits --unguided --format json";
