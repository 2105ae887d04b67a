//! Arguments of `sample`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::GuidanceSchedule;

use super::{Classes, ScheduleArgs, whole_number};

/// Generate images.
///
/// Several images are laid out as a sheet, a column a class; a single class makes a near-square sheet. If --out is a folder,
/// each image becomes a file of its own there, named by its number.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct SampleArgs {
    /// Class, range with both ends, or list: 7, 0..9 or 1,3,5.
    #[arg(long, value_name = "CLASSES")]
    pub(crate) class: Classes,
    /// Images of each class.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// The PNG file, or a folder that exists.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The model: a built-in one by name, or a checkpoint or folder with config.json.
    #[arg(long, value_name = "NAME|PATH", default_value = "digits")]
    pub(crate) model: String,
    /// Weights to use in place of the model's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// What all randomness grows from.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number)]
    pub(crate) seed: u64,
    /// Number of the first image; with the seed it keys an image's randomness.
    #[arg(long, value_name = "M", default_value_t = 0, value_parser = whole_number)]
    pub(crate) first_image: u64,
    /// Scale of classifier-free guidance, 1 for none [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// How guidance moves over the AR steps [default: the model's].
    #[arg(long, value_enum, value_name = "RAMP")]
    pub(crate) cfg_schedule: Option<GuidanceRamp>,
    /// Factor of the noise that is added while denoising.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Images that run at the same time; it changes speed and memory, not the images.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Pixels a pixel becomes, in both directions [default: small images are enlarged: up to 256 pixels alone, 96 in a
    /// sheet; not in a folder].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) scale: Option<u32>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Run this plan, as `plan --format json` or another program wrote it.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArgs,
}

/// How the guidance scale moves over the AR steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuidanceRamp {
    /// It grows with the share of tokens known.
    Linear,
    /// It stays.
    Constant,
}

impl From<GuidanceRamp> for GuidanceSchedule {
    fn from(ramp: GuidanceRamp) -> Self {
        match ramp {
            GuidanceRamp::Linear => Self::Linear,
            GuidanceRamp::Constant => Self::Constant,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli sample --class 7 --out seven.png
  gtr-cli sample --class 0..9 --count 10 --out sheet.png
  gtr-cli sample --class 3 --preset gtr-8 --cfg 2 --seed 5 --out three.png
  gtr-cli sample --class 0..9 --count 100 --out folder/
  gtr-cli sample --class 1 --plan p.json --out one.png

The same flags give the same bytes, whatever the batch. Image number =
first image + position of the class * count + position in the class.";
