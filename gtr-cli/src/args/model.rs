//! Arguments of the model: its files, device and precision.

use std::path::PathBuf;
use std::sync::Once;

use clap::Args;
use gtr_backends::judge::Origin;
use gtr_backends::{BackendError, Compute, ComputePath, Device, Families, Files, Judge, Precision};
use gtr_run::arguments::Arguments;

use super::whole_number;
use crate::error::CliError;
use crate::output;

/// Name of the built-in model.
const DIGITS: &str = "digits";
/// Default device.
pub(super) const CPU: &str = "cpu";

/// Arguments of the model and its files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// Model: `digits` (built in), `fashion` (needs a clone of the repository), mar-b, mar-l, mar-h, lightgen-base,
    /// lightgen-large or lightgen-huge; or the path of a folder with config.json or of a checkpoint next to it.
    #[arg(long, value_name = "NAME|PATH", default_value = DIGITS)]
    pub(crate) model: String,
    /// Weights: a checkpoint, .pth or .safetensors [default: the weights of the model].
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Section of the checkpoint; `whole` is the outermost [default: the averaged weights, or the raw weights if there are no
    /// averaged ones].
    #[arg(long, value_name = "NAME", conflicts_with = "random_weights")]
    pub(crate) section: Option<String>,
    /// Autoencoder that decodes latents: kl16.ckpt for MAR, or a folder in the format of diffusers for LightGen.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) vae: Option<PathBuf>,
    /// T5 text encoder for LightGen: a folder with config.json, tokenizer.json and weights.
    #[arg(long, value_name = "DIR")]
    pub(crate) text_encoder: Option<PathBuf>,
    /// Use random weights for all files that are not given, for tests and benchmarks; the images are noise [default without a
    /// value: 0].
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0",
          conflicts_with = "weights", value_parser = whole_number)]
    pub(crate) random_weights: Option<u64>,
    /// Device: cpu, cuda:N, or auto (cuda:0 if available, otherwise cpu).
    #[arg(long, value_name = "DEVICE", default_value = CPU)]
    pub(crate) device: String,
    /// Type of the weight matrices; everything else is always f32.
    #[arg(long, value_name = "TYPE", default_value_t = Precision::F32, value_parser = precision())]
    pub(crate) dtype: Precision,
    /// Run the diffusion head as CUDA graphs: 3 launches per evaluation in place of about a hundred. For cuda:N only.
    #[arg(long)]
    pub(crate) cuda_graphs: bool,
}

/// Parser of `--dtype`.
pub(super) fn precision() -> impl clap::builder::TypedValueParser<Value = Precision> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).try_map(|name| name.parse::<Precision>())
}

/// Returns the device for `--device auto`. If it is the CPU, prints the reason once.
fn auto_device() -> Device {
    static TOLD: Once = Once::new();
    let (device, reason) = gtr_backends::auto_device();
    if let Some(reason) = reason {
        TOLD.call_once(|| output::note(format_args!("--device auto is the CPU: {reason}")));
    }
    device
}

/// Opens the device that `--device` names.
pub(crate) fn open_device(name: &str) -> Result<Device, BackendError> {
    if name == "auto" { Ok(auto_device()) } else { gtr_backends::device(name) }
}

/// Uses CUDA graphs if they are wanted.
pub(super) fn with_graphs(compute: Compute, wanted: bool) -> Result<Compute, CliError> {
    match (wanted, compute.path()) {
        (false, _) => Ok(compute),
        (true, ComputePath::Device) => Ok(compute.with_graphs()),
        (true, ComputePath::Host) => {
            Err(CliError::usage("--cuda-graphs needs an NVIDIA device: --device cuda:0; the device is the CPU"))
        }
    }
}

/// Returns the name under which files and stores record a device: `cpu`, or the first device of its kind, such as
/// `cuda:0`. The number of a device is only its place in one machine, so the parts that several devices generate belong
/// to one run.
pub(crate) fn recorded_device(device: &Device) -> String {
    first_of_kind(&gtr_backends::device_name(device))
}

/// Replaces the number in the name of a device by 0.
fn first_of_kind(name: &str) -> String {
    match name.split_once(':') {
        Some((kind, _)) => format!("{kind}:0"),
        None => name.to_owned(),
    }
}

impl ModelArgs {
    /// Returns device and precision of the model, and whether it uses CUDA graphs.
    pub(crate) fn compute(&self) -> Result<Compute, CliError> {
        with_graphs(Compute::from(&open_device(&self.device)?).with_precision(self.dtype), self.cuda_graphs)
    }

    /// Returns the device that the files of a run record, or `None` for the CPU.
    ///
    /// # Errors
    /// Those of [`compute`](Self::compute).
    pub(crate) fn recorded_device(&self) -> Result<Option<String>, CliError> {
        Ok(Some(recorded_device(self.compute()?.device())).filter(|device| device != CPU))
    }

    /// Returns the files of the model.
    pub(crate) fn files(&self) -> Files<'_> {
        Files {
            weights: self.weights.as_deref(),
            section: self.section.as_deref(),
            vae: self.vae.as_deref(),
            random: self.random_weights,
        }
    }

    /// Opens the judge of the model, or that of the digits model if it has none.
    pub(crate) fn judge(&self, families: &Families) -> Result<Judge, BackendError> {
        Judge::open(&Origin::of_in(families, &self.model)?)
    }

    /// Returns the flags that select the same model again.
    pub(crate) fn again(&self) -> Arguments {
        // Destructured, so that a new field cannot be forgotten here.
        let Self { model, weights, section, vae, text_encoder, random_weights, device, dtype, cuda_graphs } = self;
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
        if *cuda_graphs {
            again.extend(["--cuda-graphs"]);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_device_is_not_recorded() {
        for (name, recorded) in [("cpu", "cpu"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:0"), ("cuda:15", "cuda:0")] {
            assert_eq!(first_of_kind(name), recorded);
        }
        // A recorded name is one that `--device` accepts, and the kind still counts.
        assert_eq!(recorded_device(&Device::Cpu), CPU);
        assert_ne!(first_of_kind("cuda:1"), first_of_kind("metal:1"));
    }
}
