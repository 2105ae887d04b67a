//! Arguments of `field`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, builder::TypedValueParser};
use gtr_backends::field::Form;

/// Measure a field from images, for the losses of `plan`, `cost` and `design`.
///
/// A field is the covariance of the tokens of images. The images are encoded to tokens by the autoencoder of the model; the
/// weights of the model are not needed. If classes are known, the covariance is computed within classes: the mean of each
/// class is subtracted. A full covariance is shrunk towards a multiple of the identity by OAS (arXiv 0907.4698), which matters
/// for few images. A covariance averaged over displacements has far fewer values and is not shrunk. A nugget is added to both.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct FieldArgs {
    /// Images: a folder of PNG files, a folder with one subfolder per class, or FILE.npz (arr_0: [images, rows, columns,
    /// channels]; arr_1: classes, optional). In a folder written by `sample`, labels.jsonl has the classes.
    #[expect(clippy::doc_markdown, reason = "help texts are not Markdown")]
    #[arg(value_name = "DIR|FILE")]
    pub(crate) pictures: PathBuf,
    /// Model whose tokens are measured, by name or path.
    #[arg(long, value_name = "NAME|PATH", default_value = "digits")]
    pub(crate) model: String,
    /// Autoencoder that encodes the images: kl16.ckpt for MAR, or a folder in the format of diffusers for LightGen.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) vae: Option<PathBuf>,
    /// Form of the covariance: full, or averaged over displacements.
    #[arg(long, value_name = "FORM", default_value_t = Form::Averaged, value_parser = form())]
    pub(crate) form: Form,
    /// Share of the mean variance that is independent noise of each value, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) nugget: f64,
    /// Write 16-bit values, which halves the file.
    #[arg(long)]
    pub(crate) half: bool,
    /// Number of principal components per token [default: all channels, or the largest number for which a loss can be
    /// computed].
    #[arg(long, value_name = "N")]
    pub(crate) components: Option<usize>,
    /// Safetensors file to write, with the provenance as metadata.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Device: cpu, cuda:N, or auto (cuda:0 if available, otherwise cpu).
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
