//! Arguments of `sample`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_core::GuidanceSchedule;

use super::{
    BulkArgs, Classes, GoingOnArgs, ListFormat, LookArgs, ModelArgs, ScheduleArgs, seed, temperature, whole_number,
};

/// Generate images.
///
/// Several images are laid out as a sheet, a column a class or prompt; a single one makes a near-square sheet. If --out is a folder,
/// each image becomes a file of its own there, named by its number.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct SampleArgs {
    /// Class, range with both ends, or list: 7, 0..9 or 1,3,5; with MAR also names and WordNet ids of ImageNet,
    /// as "golden retriever" or n02099601.
    #[arg(long, value_name = "CLASSES", required_unless_present_any = ["prompt", "prompts", "classes", "random_weights"],
          conflicts_with = "prompt")]
    pub(crate) class: Option<Classes>,
    /// What LightGen's picture shows, in words; may be given more than once.
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: Vec<String>,
    /// Images of each class or prompt; with --classes balanced, of all.
    #[arg(long, value_name = "N", visible_alias = "samples", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// FILE.png, or `-` for standard output; a folder, as FOLDER/; for many images a folder or FILE.npz.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What all randomness grows from.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed)]
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
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    pub(crate) temperature: f64,
    /// Images that run at the same time; it changes speed and memory, not the images.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Pixels a pixel becomes, in both directions [default: small images are enlarged: up to 256 pixels alone, 96 in a
    /// sheet; not in a folder].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) scale: Option<u32>,
    /// Height and width of LightGen's picture in pixels, multiples of 16 [default: the model's].
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,
    /// Record the run: orders, masks, conditioning vectors, noises and tokens (spec/TRACE.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// How the summary is written.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,
    /// The same as `--format json`.
    #[arg(long, hide = true, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Run this plan, as `plan --format json` or another program wrote it; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) bulk: BulkArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) going_on: GoingOnArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) schedule: ScheduleArgs,
}

impl SampleArgs {
    /// Whether the summary is to be processed.
    pub(crate) fn wants_json(&self) -> bool {
        self.json || self.format == ListFormat::Json
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?)));
    sides.ok_or_else(|| "write height x width in pixels, as 512x512".to_owned())
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

The same flags give the same bytes, whatever the batch. Image number =
first image + position of the class or prompt * count + position in it."#;
