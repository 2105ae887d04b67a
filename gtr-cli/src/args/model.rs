//! Which model runs, from which files, where.

use std::path::PathBuf;

use clap::Args;
use gtr_backends::judge::Origin;
use gtr_backends::{BackendError, Compute, Files, Judge, Precision};
use gtr_run::arguments::Arguments;

use super::whole_number;

/// The model that is built in.
const DIGITS: &str = "digits";
/// Where models compute unless it is said.
const CPU: &str = "cpu";

/// The model and its files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// The model: `digits`, which is built in; `fashion`, in a clone of the repository; mar-b, mar-l, mar-h, lightgen-base,
    /// lightgen-large or lightgen-huge; or a checkpoint or folder with config.json.
    #[arg(long, value_name = "NAME|PATH", default_value = DIGITS)]
    pub(crate) model: String,
    /// Weights: a published checkpoint (.pth) or safetensors [default: the model's own].
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The section of the checkpoint that holds the weights, `whole` for the outermost [default: the averaged weights, else the
    /// raw ones, as names tell].
    #[arg(long, value_name = "NAME", conflicts_with = "random_weights")]
    pub(crate) section: Option<String>,
    /// The autoencoder that turns latents into pixels: kl16.ckpt for MAR; for LightGen a folder as diffusers writes it.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) vae: Option<PathBuf>,
    /// The T5 text encoder of LightGen: a folder with config.json, tokenizer.json and weights.
    #[arg(long, value_name = "DIR")]
    pub(crate) text_encoder: Option<PathBuf>,
    /// Random weights in place of files that are not given, to try and to time a model: its pictures show nothing.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0",
          conflicts_with = "weights", value_parser = whole_number)]
    pub(crate) random_weights: Option<u64>,
    /// Where to compute: cpu, cuda:N, or auto, which is cuda:0 where there is one.
    #[arg(long, value_name = "DEVICE", default_value = CPU)]
    pub(crate) device: String,
    /// Type of the matrices; tokens, noise and the steps back are f32 in any case.
    #[arg(long, value_name = "TYPE", default_value_t = Precision::F32, value_parser = precision())]
    pub(crate) dtype: Precision,
}

fn precision() -> impl clap::builder::TypedValueParser<Value = Precision> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).try_map(|name| name.parse::<Precision>())
}

impl ModelArgs {
    /// Where the model computes.
    pub(crate) fn compute(&self) -> Result<Compute, BackendError> {
        Ok(Compute::from(&gtr_backends::device(&self.device)?).with_precision(self.dtype))
    }

    /// The files of the model.
    pub(crate) fn files(&self) -> Files<'_> {
        Files {
            weights: self.weights.as_deref(),
            section: self.section.as_deref(),
            vae: self.vae.as_deref(),
            random: self.random_weights,
        }
    }

    /// The judge of its images: its own, or that of digits.
    pub(crate) fn judge(&self) -> Result<Judge, BackendError> {
        Judge::open(&Origin::of(&self.model)?)
    }

    /// The flags that ask for it again.
    pub(crate) fn again(&self) -> Arguments {
        // Every field by its name: one that is added must be thought of here.
        let Self { model, weights, section, vae, text_encoder, random_weights, device, dtype } = self;
        let mut again = Arguments::default();
        again.add("--model", model);
        again.add_some("--weights", weights.as_ref().map(|path| path.display()));
        again.add_some("--section", section.as_ref());
        again.add_some("--vae", vae.as_ref().map(|path| path.display()));
        again.add_some("--text-encoder", text_encoder.as_ref().map(|path| path.display()));
        if let Some(seed) = random_weights {
            again.tie("--random-weights", seed);
        }
        if device != CPU {
            again.add("--device", device);
        }
        if *dtype != Precision::default() {
            again.add("--dtype", dtype.name());
        }
        again
    }
}
