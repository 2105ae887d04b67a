//! Converts images to token values.

use std::path::Path;

use candle_core::{Device, Tensor};
use gtr_core::{Grid, Targets, TokenIndex};

use crate::canvas::Tokens;
use crate::error::Context;
use crate::mar::ImageDecoder;
use crate::vae::{KlEncoder, LatentScale, latents, open_diffusers, open_encoder};
use crate::{BackendError, Family, Picture, family, lightgen, mar};

/// Converts images to the token values that a model generates. It uses the configuration of the model and the encoder of
/// its autoencoder, not the weights of the model.
///
/// # Examples
/// ```
/// use gtr_backends::field::PictureTokens;
/// use gtr_backends::{Device, Picture};
/// let tokens = PictureTokens::open("digits", None, &Device::Cpu)?;
/// assert_eq!((tokens.shape(), tokens.channels()), ([32, 32, 1], 16));
/// let black = Picture::new(32, 32, 1, vec![0.0; 1024])?;
/// assert_eq!(tokens.values(&black)?, vec![-1.0; 1024]);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Debug)]
pub struct PictureTokens {
    layout: Tokens,
    encoder: Option<KlEncoder>,
    scale: LatentScale,
    shape: [usize; 3],
    device: Device,
}

impl PictureTokens {
    /// Opens the encoder for a model by name or path. Models that generate latents need `vae`, an autoencoder with its
    /// encoder.
    ///
    /// # Errors
    /// Those of [`spec`](crate::spec); [`BackendError::Request`] if the autoencoder is missing; otherwise the errors of
    /// reading the autoencoder.
    pub fn open(model: &str, vae: Option<&Path>, device: &Device) -> Result<Self, BackendError> {
        let needed = || {
            let vae = vae.ok_or_else(|| {
                BackendError::Request(format!("{model} generates latents: an autoencoder is needed to encode images"))
            })?;
            Ok::<_, BackendError>((vae, open_encoder(vae, device)?))
        };
        match family(model)? {
            Family::Mar => {
                let config = mar::config(model)?;
                let scale = LatentScale { scale: config.latent_scale, shift: 0.0 };
                let layout = Tokens { grid: config.grid, channels: config.latent_channels, patch: config.patch };
                if let Some(ImageDecoder::Identity) = config.image_decoder {
                    let shape = sides(layout, 1, config.latent_channels);
                    return Ok(Self { layout, encoder: None, scale, shape, device: device.clone() });
                }
                let (_, encoder) = needed()?;
                encoder.check(&config.name, config.latent_channels, config.stride)?;
                let shape = sides(layout, config.stride, 3);
                Ok(Self { layout, encoder: Some(encoder), scale, shape, device: device.clone() })
            }
            Family::LightGen => {
                let config = lightgen::config(model)?;
                let layout = Tokens { grid: config.grid, channels: config.latent_channels, patch: config.patch };
                let (vae, encoder) = needed()?;
                encoder.check(&config.name, config.latent_channels, config.stride)?;
                let scale = if vae.is_dir() { open_diffusers(vae, device)?.1 } else { LatentScale::STABLE_DIFFUSION_3 };
                let shape = sides(layout, config.stride, 3);
                Ok(Self { layout, encoder: Some(encoder), scale, shape, device: device.clone() })
            }
        }
    }

    /// Token grid.
    pub fn grid(&self) -> Grid {
        self.layout.grid
    }

    /// Number of channels of a token.
    pub fn channels(&self) -> usize {
        self.layout.width()
    }

    /// Height, width and channels of the images.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Returns the token values of an image.
    ///
    /// # Shapes
    /// `[tokens, channels]`, flattened; tokens in row-major order of the grid.
    ///
    /// # Errors
    /// [`BackendError::Request`] for an image of another shape, or a failure of the device.
    pub fn values(&self, picture: &Picture) -> Result<Vec<f32>, BackendError> {
        let found = [picture.height(), picture.width(), picture.channels()];
        if found != self.shape {
            let expected = self.shape;
            return Err(BackendError::Request(format!("expected an image of shape {expected:?}, found {found:?}")));
        }
        let encode = |values: &Tensor| match &self.encoder {
            None => self.scale.apply(values),
            Some(encoder) => self.scale.apply(&encoder.encode(values)?.mean),
        };
        let latents = latents(std::slice::from_ref(picture), &self.device, encode)?;
        let all: Vec<TokenIndex> = self.layout.grid.iter().collect();
        let values = self.layout.values(&latents, &Targets::new([all.as_slice()]))?;
        values.flatten_all().and_then(|values| values.to_vec1()).context("reading token values")
    }
}

fn sides(layout: Tokens, stride: usize, channels: usize) -> [usize; 3] {
    let side = |tokens: u32| tokens as usize * layout.patch * stride;
    [side(layout.grid.height()), side(layout.grid.width()), channels]
}
