//! Arguments of `eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_backends::judge::Reference;

use super::{AxisFlags, ModelArgs, seed, temperature, whole_number};
use crate::error::CliError;
use crate::extension;

/// Measure the quality and the cost of presets.
///
/// Generates the same number of images of each class and evaluates them with a small classifier, that of the model or the
/// built-in one for digits. The metrics are the Fréchet distance between the features of generated and real images, the
/// accuracy (share of images classified as the requested class), and an analogue of the inception score, each with a 95 %
/// confidence interval. The distance depends on the number of images: compare only rows with the same number.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct EvalArgs {
    /// Presets to evaluate; the first is the baseline [default: mar-16,gtr-16,gtr-8].
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) presets: Vec<String>,
    /// Schedule file to evaluate; may be repeated. The flags of the axes change schedules and presets.
    #[arg(long = "schedule", value_name = "FILE")]
    pub(crate) schedules: Vec<PathBuf>,
    /// Plan to evaluate, written by `plan --format json`; may be repeated.
    #[arg(long = "plan", value_name = "FILE")]
    pub(crate) plans: Vec<PathBuf>,
    /// Existing images to evaluate: a folder of PNG files of 32x32 pixels (with labels.jsonl for the accuracy), or FILE.npz
    /// (arr_0: images, arr_1: classes); may be repeated.
    #[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Scales of classifier-free guidance, one row each [default: the model's].
    #[arg(long, value_name = "SCALE,..", value_delimiter = ',')]
    pub(crate) cfg: Vec<f64>,
    /// Scale of the noise added during denoising, 0 to 100.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    pub(crate) temperature: f64,
    /// Real images to compare with: all, or one of two halves.
    #[arg(long, value_name = "WHICH", default_value_t = Reference::All, value_parser = reference())]
    pub(crate) reference: Reference,
    /// Omit times, so that the same command always prints the same bytes.
    #[arg(long)]
    pub(crate) untimed: bool,
    /// Output format [default: by the extension of --out, or a table].
    #[arg(long, value_enum)]
    format: Option<EvalFormat>,
    /// Write the result to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Plot quality against cost with the Pareto front to this file, .svg or .png.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) axes: AxisFlags,
}

impl EvalArgs {
    /// Returns the output format, from the flag or from the extension of the file.
    pub(crate) fn format(&self) -> Result<EvalFormat, CliError> {
        let endings = [("txt", EvalFormat::Table), ("json", EvalFormat::Json), ("csv", EvalFormat::Csv)];
        extension::decide(self.out.as_deref(), self.format, &endings, EvalFormat::Table)
    }
}

/// Number of images to evaluate, and the store of their results.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// Number of images per row, divided equally among seeds and classes.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000, value_parser = whole_number)]
    pub(crate) count: u64,
    /// Seeds of the random numbers.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "0", value_parser = seed)]
    pub(crate) seeds: Vec<u64>,
    /// Number of bootstrap resamples for the confidence intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub(crate) resamples: u32,
    /// Keep the results of each image in this folder. An interrupted run can then be resumed, and no image is generated twice,
    /// also for other tables.
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Number of images per batch; affects speed and memory, not the scores.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
}

fn reference() -> impl clap::builder::TypedValueParser<Value = Reference> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Reference::EACH.map(Reference::name)).try_map(|name| name.parse::<Reference>())
}

/// Output format of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    /// Table.
    Table,
    /// JSON, with both ends of all intervals.
    Json,
    /// CSV, one line per row.
    Csv,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli eval --presets mar-64,gtr-16,gtr-8 --count 1000 --store seen/
  gtr-cli eval --presets gtr-16 --cfg 2,3,4 --seeds 0,1 --format csv
  gtr-cli eval --presets gtr-16,gtr-8 --beta 0.2 --plot quality.svg
  gtr-cli eval --plan plan.json --count 500
  gtr-cli sample --classes balanced --count 1000 --out digits/
  gtr-cli eval --images digits/ --presets gtr-paper";
