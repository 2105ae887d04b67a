//! Arguments of `sample`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::GuidanceSchedule;

use super::{
    BulkArgs, Classes, InpaintArgs, ListFormat, ModelArgs, PreviewArgs, ScheduleArgs, seed, temperature, whole_number,
};

/// Generate images.
///
/// Several images are arranged in one sheet with one column per class or prompt; the images of a single class form a nearly
/// square sheet. If --out is a folder, each image is written to a file named by its number.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct SampleArgs {
    /// Class, inclusive range or list: 7, 0..9 or 1,3,5. MAR models also accept ImageNet names and WordNet IDs, such as
    /// "golden retriever" or n02099601.
    #[arg(long, value_name = "CLASSES", required_unless_present_any = ["prompt", "prompts", "classes", "random_weights"],
          conflicts_with = "prompt")]
    pub(crate) class: Option<Classes>,
    /// Text prompt for LightGen; may be repeated.
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: Vec<String>,
    /// Number of images per class or prompt; with --classes balanced, the total number.
    #[arg(short = 'n', long, value_name = "N", visible_alias = "samples", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// Output: FILE.png, `-` for standard output, or a folder (FOLDER/); for many images a folder or FILE.npz.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Seed of the random numbers.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed)]
    pub(crate) seed: u64,
    /// Number of the first image. Seed and image number determine the random numbers of an image.
    #[arg(long, value_name = "M", default_value_t = 0, value_parser = whole_number)]
    pub(crate) first_image: u64,
    /// Scale of classifier-free guidance; 1 disables it [default: the model's].
    #[arg(long, value_name = "SCALE")]
    pub(crate) cfg: Option<f64>,
    /// Schedule of the guidance scale over the AR steps [default: the model's].
    #[arg(long, value_enum, value_name = "RAMP")]
    pub(crate) cfg_schedule: Option<GuidanceRamp>,
    /// Scale of the noise added during denoising, 0 to 100.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    pub(crate) temperature: f64,
    /// Number of images per batch; affects speed and memory, not the images.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Enlarge images N times in both directions [default: enlarge small images, up to 256 pixels alone and 96 pixels in
    /// a sheet; never in a folder].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) scale: Option<u32>,
    /// Image size for LightGen in pixels, multiples of 16 [default: the model's].
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,
    /// Record orders, masks, conditioning vectors, noise and tokens of the run (spec/TRACE.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Format of the summary.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,
    /// Alias of `--format json`.
    #[arg(long, hide = true, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Run this plan, written by `plan --format json` or another program; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) bulk: BulkArgs,
    #[command(flatten)]
    pub(crate) preview: PreviewArgs,
    #[command(flatten)]
    pub(crate) inpaint: InpaintArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArgs,
}

impl SampleArgs {
    /// Returns true if the summary is JSON.
    pub(crate) fn wants_json(&self) -> bool {
        self.json || self.format == ListFormat::Json
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?)));
    sides.ok_or_else(|| "expected HEIGHTxWIDTH in pixels, for example 512x512".to_owned())
}

/// Schedule of the guidance scale over the AR steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuidanceRamp {
    /// Increase linearly with the share of known tokens.
    Linear,
    /// Keep the scale constant.
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

const EXAMPLES: &str = r#"Examples:
  gtr-cli sample --class 7 --out seven.png
  gtr-cli sample --class 0..9 --count 10 --out sheet.png
  gtr-cli sample --class 3 --preset gtr-8 --cfg 2 --seed 5 --out three.png
  gtr-cli sample --class 0..9 --count 100 --out folder/
  gtr-cli sample --classes balanced --count 50000 --out digits.npz --resume
  gtr-cli sample --classes balanced --count 50000 --shard 0/4 --out digits/
  gtr-cli sample --class 1 --plan p.json --out one.png
  gtr-cli sample --class 3 --animate three.gif --out three.png
  gtr-cli sample --class 8 --init three.png --mask mask.png --out eight.png
  gtr-cli sample --class 3 --reseed-reconstruction 7 --out seven-threes.png
  gtr-cli sample --model mar-h --weights checkpoint-last.pth --vae kl16.ckpt \
    --class "golden retriever" --preset gtr-16 --out dog.png
  gtr-cli sample --model lightgen-large --weights lightgen.pth --vae vae/ \
    --text-encoder t5/ --prompt "a red cat on a roof" --out cat.png
  gtr-cli sample --model lightgen-large --weights lightgen.pth --vae vae/ \
    --text-encoder t5/ --prompts metadata.jsonl --layout geneval --samples 4 \
    --out geneval/
  gtr-cli sample --model mar-b --random-weights --class 0 --out noise.png

The same flags give the same bytes, regardless of --batch. Image number =
first image + index of the class or prompt * count + index within it."#;
