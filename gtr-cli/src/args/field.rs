//! Arguments of `field`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, builder::TypedValueParser};
use gtr_backends::field::Form;

/// Measure a field from pictures, for the losses of `plan`, `cost` and `design`.
///
/// A field is the covariance of the tokens of images. The pictures are turned into the tokens that the model generates, by its
/// autoencoder; its weights are not needed. Where classes are known, the covariance is that within a class: the mean of each
/// class is taken away. A full covariance is shrunk towards a multiple of the identity by the rule OAS (arXiv 0907.4698), which
/// matters where pictures are few; one averaged over equal displacements has far fewer numbers and is not shrunk. A nugget is
/// added to both.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct FieldArgs {
    /// The pictures: a folder of PNG files, or of one such folder a class, or FILE.npz (arr_0: images, rows, columns,
    /// channels; arr_1: classes, if they are known). A folder of `sample` says the classes in labels.jsonl.
    #[expect(clippy::doc_markdown, reason = "help is no markdown")]
    #[arg(value_name = "DIR|FILE")]
    pub(crate) pictures: PathBuf,
    /// The model whose tokens are measured, by name or path.
    #[arg(long, value_name = "NAME|PATH", default_value = "digits")]
    pub(crate) model: String,
    /// The autoencoder that encodes the pictures: kl16.ckpt for MAR; for LightGen a folder as diffusers writes it.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) vae: Option<PathBuf>,
    /// What is measured: the full covariance, or its average over equal displacements.
    #[arg(long, value_name = "FORM", default_value_t = Form::Averaged, value_parser = form())]
    pub(crate) form: Form,
    /// The share of the mean variance that each number has to itself: what no model could tell from its own noise.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) nugget: f64,
    /// Write numbers of 16 bits: half the file.
    #[arg(long)]
    pub(crate) half: bool,
    /// Principal components that tokens are seen in [default: all their channels, or as many as a loss can be computed of].
    #[arg(long, value_name = "N")]
    pub(crate) components: Option<usize>,
    /// The file that is written: safetensors with the provenance as metadata.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Where to compute: cpu, cuda:N, or auto, which is cuda:0 where there is one.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
}

fn form() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.map(Form::name))
        .map(|name| if name == Form::Full.name() { Form::Full } else { Form::Averaged })
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli sample --classes balanced --count 200 --out digits/
  gtr-cli field digits/ --out digits.safetensors
  gtr-cli plan --model digits --field digits.safetensors
  gtr-cli field digits/ --form full --nugget 0.1 --half --out full.safetensors
  gtr-cli field pictures/ --model mar-h --vae kl16.ckpt --out kl16.safetensors";
