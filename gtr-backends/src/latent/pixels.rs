//! From latent images to pictures, and back.

use candle_core::{Device, Tensor};

use super::TokenLayout;
use crate::vae::{KlDecoder, KlEncoder, LatentScale, latents, pictures};
use crate::{BackendError, Picture};

/// What the values of a latent image are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Pixels from -1 (black) to 1 (white), scaled.
    Patches {
        /// How they were scaled before the model learned them.
        scale: LatentScale,
    },
    /// Latents of a KL autoencoder.
    Latents {
        /// How they were scaled before the model learned them; `None`: as the autoencoder states.
        scale: Option<LatentScale>,
        /// Pixels on a side of a latent value.
        stride: usize,
    },
}

/// The latent images of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentImage {
    /// What the model is called, for messages.
    pub model: String,
    /// How tokens make a latent image.
    pub tokens: TokenLayout,
    /// How the latent image becomes pixels.
    pub pixels: PixelFormat,
}

/// What turns latent images into pictures, and back.
#[derive(Debug)]
pub(super) enum Pixels {
    /// Nothing but a scale.
    Patches { scale: LatentScale },
    /// An autoencoder, or the half of it that is there.
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

    /// Adds the decoder of an autoencoder, whose scale is `stated`.
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

    /// Pictures of latent images as `model` makes them.
    pub(super) fn decode(&self, latents: &Tensor, model: &str) -> Result<Vec<Picture>, BackendError> {
        match self {
            Self::Patches { scale } => pictures(&scale.remove(latents)?),
            Self::Autoencoder { scale: Some(scale), decoder: Some(decoder), .. } => {
                decoder.pictures(&scale.remove(latents)?)
            }
            Self::Autoencoder { .. } => Err(BackendError::NoDecoder { model: model.to_owned() }),
        }
    }

    /// The latent images of pictures, as a model learned them; `None` without an encoder.
    pub(super) fn encode(&self, images: &[Picture], device: &Device) -> Result<Option<Tensor>, BackendError> {
        match self {
            Self::Patches { scale } => latents(images, device, |values| scale.apply(values)).map(Some),
            Self::Autoencoder { scale: Some(scale), encoder: Some(encoder), .. } => {
                latents(images, device, |values| scale.apply(&encoder.encode(values)?.mean)).map(Some)
            }
            Self::Autoencoder { .. } => Ok(None),
        }
    }
}

fn without_autoencoder(model: &str) -> BackendError {
    let reason = "its tokens are pixels, which no autoencoder decodes".to_owned();
    BackendError::Config { model: model.to_owned(), reason }
}
