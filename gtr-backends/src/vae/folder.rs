//! Autoencoders in the folder layout of diffusers.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::Deserialize;

use super::{KlDecoder, KlEncoder};
use crate::bounded_read::{parse_object, read_text};
use crate::checkpoint::Checkpoint;
use crate::error::Context;
use crate::{BackendError, Compute};

/// Scale of the latents that a model was trained on: `(latent - shift) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentScale {
    /// Factor.
    pub scale: f64,
    /// Offset that is subtracted before scaling.
    pub shift: f64,
}

impl LatentScale {
    /// Scale of the autoencoder of Stable Diffusion 3.5.
    pub const STABLE_DIFFUSION_3: Self = Self { scale: 1.5305, shift: 0.0609 };

    /// Removes the scale, for the decoder.
    pub(crate) fn remove(self, latents: &Tensor) -> Result<Tensor, BackendError> {
        latents.affine(1.0 / self.scale, self.shift).context("scaling latents")
    }

    /// Applies the scale, for the model.
    pub(crate) fn apply(self, latents: &Tensor) -> Result<Tensor, BackendError> {
        latents.affine(self.scale, 0.0 - self.shift * self.scale).context("scaling latents")
    }
}

/// `config.json` of diffusers. Other fields are read from the tensors or are the same in all published autoencoders.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Raw {
    latent_channels: Option<usize>,
    scaling_factor: Option<f64>,
    shift_factor: Option<f64>,
    norm_num_groups: Option<usize>,
}

/// Names of the weights file. The first that exists is used.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
];

/// Returns the weights file of a folder.
fn weights_of(folder: &Path) -> PathBuf {
    let weights = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.exists());
    weights.unwrap_or_else(|| folder.join(WEIGHTS[0]))
}

/// Opens the encoder of the autoencoder at `path`: a checkpoint, or a folder in the layout of diffusers.
///
/// # Errors
/// Those of [`KlEncoder::load`], also if the file has only a decoder.
pub fn open_encoder(path: &Path, compute: impl Into<Compute>) -> Result<KlEncoder, BackendError> {
    let weights = if path.is_dir() { weights_of(path) } else { path.to_owned() };
    KlEncoder::load(Checkpoint::open(&weights)?, compute)
}

/// Opens the autoencoder in `folder`: `config.json` and `diffusion_pytorch_model.safetensors`.
///
/// # Errors
/// [`BackendError::Read`] for a missing file; [`BackendError::Config`] for a configuration that does not match the
/// weights; otherwise those of [`KlDecoder::load`].
pub fn open_diffusers(folder: &Path, compute: impl Into<Compute>) -> Result<(KlDecoder, LatentScale), BackendError> {
    let path = folder.join("config.json");
    let wrong = |reason: String| BackendError::Config { model: path.display().to_string(), reason };
    let raw: Raw = parse_object(&read_text(&path)?).map_err(wrong)?;
    if raw.norm_num_groups.is_some_and(|groups| groups != super::GROUPS) {
        return Err(wrong(format!("`norm_num_groups`: expected {}", super::GROUPS)));
    }
    let scale = LatentScale { scale: raw.scaling_factor.unwrap_or(1.0), shift: raw.shift_factor.unwrap_or(0.0) };
    if !(scale.scale.is_finite() && scale.scale > 0.0 && scale.shift.is_finite()) {
        return Err(wrong("expected a number above 0 as `scaling_factor` and a number as `shift_factor`".into()));
    }
    let decoder = KlDecoder::load(Checkpoint::open(&weights_of(folder))?, compute)?;
    let channels = decoder.size().latent_channels;
    match raw.latent_channels {
        Some(stated) if stated != channels => {
            Err(wrong(format!("`latent_channels`: expected {channels} from the weights, found {stated}")))
        }
        _ => Ok((decoder, scale)),
    }
}
