//! KL autoencoders: conversion between latent images and pixels.
//!
//! Two published naming conventions of tensors are supported: that of latent diffusion (`decoder.up.0.block.0...`, used
//! by KL-16) and that of diffusers (`decoder.up_blocks.0.resnets.0...`, used by the autoencoder of Stable Diffusion
//! 3.5). The computation is the same.

mod decoder;
mod encoder;
mod folder;
mod layers;
mod load;
mod names;
mod size;

use candle_core::{Device, Tensor};

pub use self::decoder::KlDecoder;
pub use self::encoder::{KlEncoder, LatentMoments};
pub use self::folder::{LatentScale, open_diffusers, open_encoder};
pub use self::size::{DecoderSize, EncoderSize};
use crate::error::Context;
use crate::{BackendError, Picture};

/// Number of groups of the group normalisations of all published autoencoders.
const GROUPS: usize = 32;
/// Epsilon added to the variance of a group.
const EPS: f64 = 1e-6;

/// Converts values from -1 (black) to 1 (white) to images of pixels. Values out of range are clamped.
///
/// # Shapes
/// `images`: `[images, channels, rows, columns]`, 1 or 3 channels.
pub(crate) fn pictures(images: &Tensor) -> Result<Vec<Picture>, BackendError> {
    let pixels = ((images + 1.0).and_then(|images| images / 2.0))
        .and_then(|images| images.clamp(0_f32, 1_f32)?.permute((0, 2, 3, 1))?.to_device(&Device::Cpu)) // (n, rows, columns, channels)
        .context("converting values to pixels")?;
    let (count, height, width, channels) = pixels.dims4().context("converting values to pixels")?;
    (0..count)
        .map(|picture| {
            let pixels = pixels.get(picture).and_then(|image| image.flatten_all()?.to_vec1());
            Picture::new(width, height, channels, pixels.context("reading pixels")?)
        })
        .collect()
}

/// The inverse of [`pictures`], for one image: `[1, channels, rows, columns]`, -1 (black) to 1 (white).
pub(crate) fn values(picture: &Picture, device: &Device) -> Result<Tensor, BackendError> {
    let shape = (1, picture.height(), picture.width(), picture.channels());
    let values = picture.pixels().iter().map(|pixel| pixel * 2.0 - 1.0).collect();
    let values = Tensor::from_vec(values, shape, device).and_then(|values| values.permute((0, 3, 1, 2))?.contiguous());
    values.context("converting pixels to values")
}

/// Encodes images one at a time with `encode`. An image that equals the previous one is not encoded again.
pub(crate) fn latents(
    pictures: &[Picture],
    device: &Device,
    encode: impl Fn(&Tensor) -> Result<Tensor, BackendError>,
) -> Result<Tensor, BackendError> {
    let mut latents: Vec<Tensor> = Vec::with_capacity(pictures.len());
    for (number, picture) in pictures.iter().enumerate() {
        match (latents.last(), number.checked_sub(1).map(|before| &pictures[before])) {
            (Some(same), Some(before)) if before == picture => latents.push(same.clone()),
            _ => latents.push(encode(&values(picture, device)?)?),
        }
    }
    Tensor::cat(&latents, 0).context("joining latents")
}
