//! Converts images to token values.

use std::path::Path;

use candle_core::{Device, Tensor};
use gtr_core::{Grid, Targets, TokenIndex};

use crate::error::Context;
use crate::families::Families;
use crate::latent::{LatentImage, PixelFormat, TokenLayout};
use crate::vae::{KlEncoder, LatentScale, latents, open_diffusers, open_encoder};
use crate::{BackendError, Picture};

/// Converts images to the token values that a model generates. It uses the configuration of the model and the encoder
/// of its autoencoder, not the weights of the model.
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
    layout: TokenLayout,
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
    /// Those of [`spec`](fn@crate::spec); [`BackendError::NoEncoder`] if the autoencoder is missing; otherwise the
    /// errors of reading the autoencoder.
    pub fn open(model: &str, vae: Option<&Path>, device: &Device) -> Result<Self, BackendError> {
        Self::open_in(&Families::builtin(), model, vae, device)
    }

    /// Like [`PictureTokens::open`], for a model of any of `families`.
    ///
    /// # Errors
    /// Those of [`PictureTokens::open`].
    pub fn open_in(
        families: &Families,
        model: &str,
        vae: Option<&Path>,
        device: &Device,
    ) -> Result<Self, BackendError> {
        let found = families.find(model)?;
        let LatentImage { model: name, tokens: layout, pixels } = families.of(&found).latent_image(&found)?;
        let device = device.clone();
        match pixels {
            PixelFormat::Patches { scale } => {
                let shape = sides(layout, 1, layout.channels);
                Ok(Self { layout, encoder: None, scale, shape, device })
            }
            PixelFormat::Latents { scale, stride } => {
                let vae = vae.ok_or_else(|| BackendError::NoEncoder { model: model.to_owned() })?;
                let encoder = open_encoder(vae, &device)?;
                encoder.check(&name, layout.channels, stride)?;
                let scale = match scale {
                    Some(scale) => scale,
                    None if vae.is_dir() => open_diffusers(vae, &device)?.1,
                    None => LatentScale::STABLE_DIFFUSION_3,
                };
                let shape = sides(layout, stride, 3);
                Ok(Self { layout, encoder: Some(encoder), scale, shape, device })
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

fn sides(layout: TokenLayout, stride: usize, channels: usize) -> [usize; 3] {
    let side = |tokens: u32| tokens as usize * layout.patch * stride;
    [side(layout.grid.height()), side(layout.grid.width()), channels]
}
