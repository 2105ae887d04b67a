//! Autoencoders in the folder layout of diffusers.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::{KlDecoder, KlEncoder};
use crate::BackendError;
use crate::bounded_read::{parse_object, read_text};
use crate::checkpoint::Checkpoint;
use crate::error::Context;

/// How latents were scaled before a model learned them: `(latent - shift) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentScale {
    /// The factor.
    pub scale: f64,
    /// What was taken away before.
    pub shift: f64,
}

impl LatentScale {
    /// The scale of the autoencoder of Stable Diffusion 3.5.
    pub const STABLE_DIFFUSION_3: Self = Self { scale: 1.5305, shift: 0.0609 };

    /// Latents as the decoder wants them.
    pub(crate) fn remove(self, latents: &Tensor) -> Result<Tensor, BackendError> {
        latents.affine(1.0 / self.scale, self.shift).context("scaling latents")
    }

    /// Latents as the model learned them.
    pub(crate) fn apply(self, latents: &Tensor) -> Result<Tensor, BackendError> {
        latents.affine(self.scale, 0.0 - self.shift * self.scale).context("scaling latents")
    }
}

/// `config.json` of diffusers; what is not named here the tensors tell, or every published autoencoder shares.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Raw {
    latent_channels: Option<usize>,
    scaling_factor: Option<f64>,
    shift_factor: Option<f64>,
    norm_num_groups: Option<usize>,
}

/// The files that hold the weights, the first that is there.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
];

/// The file that holds the weights of a folder.
fn weights_of(folder: &Path) -> PathBuf {
    let weights = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.exists());
    weights.unwrap_or_else(|| folder.join(WEIGHTS[0]))
}

/// Opens the encoder of the autoencoder at `path`: a checkpoint, or a folder as diffusers writes it.
///
/// # Errors
/// As [`KlEncoder::load`], also where the file holds only a decoder.
pub fn open_encoder(path: &Path, device: &Device) -> Result<KlEncoder, BackendError> {
    let weights = if path.is_dir() { weights_of(path) } else { path.to_owned() };
    KlEncoder::load(Checkpoint::open(&weights)?, device)
}

/// Opens the autoencoder in `folder`: `config.json` and `diffusion_pytorch_model.safetensors`.
///
/// # Errors
/// [`BackendError::Read`] for a file that is missing, [`BackendError::Config`] for a configuration that contradicts the
/// weights, else as [`KlDecoder::load`].
pub fn open_diffusers(folder: &Path, device: &Device) -> Result<(KlDecoder, LatentScale), BackendError> {
    let path = folder.join("config.json");
    let wrong = |reason: String| BackendError::Config { model: path.display().to_string(), reason };
    let raw: Raw = parse_object(&read_text(&path)?).map_err(wrong)?;
    if raw.norm_num_groups.is_some_and(|groups| groups != super::GROUPS) {
        return Err(wrong(format!("`norm_num_groups` must be {}", super::GROUPS)));
    }
    let scale = LatentScale { scale: raw.scaling_factor.unwrap_or(1.0), shift: raw.shift_factor.unwrap_or(0.0) };
    if !(scale.scale.is_finite() && scale.scale > 0.0 && scale.shift.is_finite()) {
        return Err(wrong("`scaling_factor` and `shift_factor` must be numbers, the first above 0".into()));
    }
    let decoder = KlDecoder::load(Checkpoint::open(&weights_of(folder))?, device)?;
    let channels = decoder.size().latent_channels;
    match raw.latent_channels {
        Some(stated) if stated != channels => {
            Err(wrong(format!("`latent_channels` is {stated}, the weights decode {channels} channels")))
        }
        _ => Ok((decoder, scale)),
    }
}
