//! Arguments of `eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_backends::judge::Reference;

use super::{AxisFlags, ModelArgs, seed, temperature, whole_number};
use crate::ending;
use crate::error::CliError;

/// Measure the quality of presets, with what they cost.
///
/// Images are generated, as many of each class, and a small classifier judges them, that of the model or the one of digits
/// that is built in: the Fréchet distance of its features from those of real pictures, the share of images that it reads as
/// what they were asked for, and an analogue of the inception score, each with its interval at 95 %. The distance depends on
/// the number of images: only rows of as many images can be compared.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct EvalArgs {
    /// Presets to judge; the others are compared with the first [default: mar-16,gtr-16,gtr-8].
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) presets: Vec<String>,
    /// Schedule files to judge; flags of the axes change these and the presets.
    #[arg(long = "schedule", value_name = "FILE")]
    pub(crate) schedules: Vec<PathBuf>,
    /// Plans to judge, as `plan --format json` writes them.
    #[arg(long = "plan", value_name = "FILE")]
    pub(crate) plans: Vec<PathBuf>,
    /// Pictures made elsewhere: a folder of PNG files of 32x32 pixels (with labels.jsonl, if their classes are to be
    /// checked), or FILE.npz (arr_0, and arr_1 for classes).
    #[expect(clippy::doc_markdown, reason = "help is no markdown")]
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Scales of classifier-free guidance, a row each [default: the model's].
    #[arg(long, value_name = "SCALE,..", value_delimiter = ',')]
    pub(crate) cfg: Vec<f64>,
    /// Factor of the noise that is added while denoising.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    pub(crate) temperature: f64,
    /// The real pictures to compare with: all, or one of two halves.
    #[arg(long, value_name = "WHICH", default_value_t = Reference::All, value_parser = reference())]
    pub(crate) reference: Reference,
    /// Leave out seconds, so that the same command prints the same bytes.
    #[arg(long)]
    pub(crate) untimed: bool,
    /// How the result is written [default: what the name of --out ends in, or a table].
    #[arg(long, value_enum)]
    format: Option<EvalFormat>,
    /// Write the result to a file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Draw quality against cost, with the Pareto front, to this file: .svg or .png.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) axes: AxisFlags,
}

impl EvalArgs {
    /// How the result is written: as it was said, or as the file's name says.
    pub(crate) fn format(&self) -> Result<EvalFormat, CliError> {
        let endings = [("txt", EvalFormat::Table), ("json", EvalFormat::Json), ("csv", EvalFormat::Csv)];
        ending::decide(self.out.as_deref(), self.format, &endings, EvalFormat::Table)
    }
}

/// How many images are judged, and where it is kept what was seen.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// Images of each row: the seeds share them, and all classes have as many.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole_number)]
    pub(crate) count: u64,
    /// What all randomness grows from.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "0", value_parser = seed)]
    pub(crate) seeds: Vec<u64>,
    /// How often images are drawn anew for the intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub(crate) resamples: u32,
    /// A folder that keeps what was seen of each image: what was stopped or killed goes on where it was, and no image is made
    /// twice, whichever table it is for.
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Images that run at the same time; it changes speed and memory, not the scores.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) batch: u32,
}

fn reference() -> impl clap::builder::TypedValueParser<Value = Reference> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Reference::EACH.map(Reference::name)).try_map(|name| name.parse::<Reference>())
}

/// How scores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    /// A table.
    Table,
    /// To be processed, with both ends of all intervals.
    Json,
    /// A line a row.
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
