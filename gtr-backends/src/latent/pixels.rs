//! Conversion between latent images and pixels.

use candle_core::{Device, Tensor};

use super::TokenLayout;
use crate::vae::{KlDecoder, KlEncoder, LatentScale, latents, pictures};
use crate::{BackendError, Picture};

/// Format of the values of a latent image.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Scaled pixels from -1 (black) to 1 (white).
    Patches {
        /// Scale of the values that the model was trained on.
        scale: LatentScale,
    },
    /// Latents of a KL autoencoder.
    Latents {
        /// Scale of the values that the model was trained on; `None` if the autoencoder states it.
        scale: Option<LatentScale>,
        /// Side of a latent value in pixels.
        stride: usize,
    },
}

/// Format of the latent images of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentImage {
    /// Name of the model, for messages.
    pub model: String,
    /// Layout of tokens in a latent image.
    pub tokens: TokenLayout,
    /// Conversion of the latent image to pixels.
    pub pixels: PixelFormat,
}

/// Converts between latent images and pixels.
#[derive(Debug)]
pub(super) enum Pixels {
    /// Only a scale.
    Patches { scale: LatentScale },
    /// An autoencoder, or one half of it.
    Autoencoder {
        scale: Option<LatentScale>,
        stride: usize,
        decoder: Option<Box<KlDecoder>>,
        encoder: Option<Box<KlEncoder>>,
    },
}

impl Pixels {
    pub(super) fn new(format: PixelFormat) -> Self {
        match format {
            PixelFormat::Patches { scale } => Self::Patches { scale },
            PixelFormat::Latents { scale, stride } => Self::Autoencoder { scale, stride, decoder: None, encoder: None },
        }
    }

    /// Adds the decoder of an autoencoder; `stated` is the scale that it states.
    pub(super) fn add_decoder(
        &mut self,
        new: KlDecoder,
        stated: Option<LatentScale>,
        (model, channels): (&str, usize),
    ) -> Result<(), BackendError> {
        match self {
            Self::Patches { .. } => Err(without_autoencoder(model)),
            Self::Autoencoder { scale, stride, decoder, .. } => {
                new.check(model, channels, *stride)?;
                *decoder = Some(Box::new(new));
                *scale = scale.or(stated).or(Some(LatentScale::STABLE_DIFFUSION_3));
                Ok(())
            }
        }
    }

    /// Adds the encoder of an autoencoder.
    pub(super) fn add_encoder(&mut self, new: KlEncoder, (model, channels): (&str, usize)) -> Result<(), BackendError> {
        match self {
            Self::Patches { .. } => Err(without_autoencoder(model)),
            Self::Autoencoder { stride, encoder, .. } => {
                new.check(model, channels, *stride)?;
                *encoder = Some(Box::new(new));
                Ok(())
            }
        }
    }

    pub(super) fn decoder(&self) -> Option<&KlDecoder> {
        match self {
            Self::Patches { .. } => None,
            Self::Autoencoder { decoder, .. } => decoder.as_deref(),
        }
    }

    pub(super) fn can_decode(&self) -> bool {
        matches!(self, Self::Patches { .. } | Self::Autoencoder { decoder: Some(_), .. })
    }

    pub(super) fn can_encode(&self) -> bool {
        matches!(self, Self::Patches { .. } | Self::Autoencoder { encoder: Some(_), scale: Some(_), .. })
    }

    /// Decodes latent images; `model` is a name for messages.
    pub(super) fn decode(&self, latents: &Tensor, model: &str) -> Result<Vec<Picture>, BackendError> {
        match self {
            Self::Patches { scale } => pictures(&scale.remove(latents)?),
            Self::Autoencoder { scale: Some(scale), decoder: Some(decoder), .. } => {
                decoder.pictures(&scale.remove(latents)?)
            }
            Self::Autoencoder { .. } => Err(BackendError::NoDecoder { model: model.to_owned() }),
        }
    }

    /// Encodes images as scaled latent images; `model` is a name for messages.
    pub(super) fn encode(&self, images: &[Picture], device: &Device, model: &str) -> Result<Tensor, BackendError> {
        match self {
            Self::Patches { scale } => latents(images, device, |values| scale.apply(values)),
            Self::Autoencoder { scale: Some(scale), encoder: Some(encoder), .. } => {
                latents(images, device, |values| scale.apply(&encoder.encode(values)?.mean))
            }
            Self::Autoencoder { .. } => Err(BackendError::NoEncoder { model: model.to_owned() }),
        }
    }
}

fn without_autoencoder(model: &str) -> BackendError {
    let reason = "its tokens are pixels and need no autoencoder".to_owned();
    BackendError::Config { model: model.to_owned(), reason }
}
