//! Decoder of KL autoencoders.

use candle_core::{Device, Tensor};
use gtr_kernels::Convolution;

use super::layers::{Conv, Map, Middle, Norm, Parts, Residual};
use super::layout::{DecoderSize, declare};
use super::names::Naming;
use super::pictures;
use crate::checkpoint::{Checkpoint, Kind, Section, WeightLayout, Weights};
use crate::error::Context;
use crate::{BackendError, Compute, ComputePath, Picture, Precision};

/// Decoder of a KL autoencoder.
///
/// # Source
/// LTH14/mar, `models/vae.py`.
#[derive(Debug)]
pub struct KlDecoder {
    size: DecoderSize,
    section: Section,
    device: Device,
    path: ComputePath,
    post_quant: Option<Conv>,
    conv_in: Conv,
    middle: Middle,
    /// Levels from the lowest to the highest resolution.
    levels: Vec<Level>,
    norm_out: Norm,
    conv_out: Conv,
}

/// Doubles rows and columns.
const UPSAMPLE: Convolution = Convolution { side: 3, stride: 1, padding: (1, 1), enlarged: 2 };

/// Memory of the activations of images that are decoded at once on a device, in bytes.
const MEMORY: usize = 4 << 30;
/// Number of activations of an image that are in memory at the same time.
const LIVE: usize = 6;

#[derive(Debug)]
struct Level {
    blocks: Vec<Residual>,
    upsample: Option<Conv>,
}

impl KlDecoder {
    /// Returns the tensors of a decoder of these sizes, by their names in latent diffusion.
    pub fn layout(size: &DecoderSize) -> WeightLayout {
        let mut layout = WeightLayout::default();
        size.tensors().declare(Naming::LatentDiffusion, &mut layout);
        layout
    }

    /// Loads a decoder. The file may also have the encoder. The sizes are read from the tensors.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if the file is not an autoencoder; otherwise those of [`Weights::load`] and
    /// [`Weights::take`].
    pub fn load(checkpoint: Checkpoint, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Kind::AUTOENCODER.expect(&checkpoint)?;
        let naming = Naming::of(&checkpoint);
        let size = DecoderSize::infer(&checkpoint, naming)?;
        let section = checkpoint.section().clone();
        let layout = declare(&checkpoint, naming)?;
        let compute = compute.into().with_precision(Precision::F32);
        let mut weights = Weights::new(checkpoint, layout, |_| false, compute)?;
        let mut parts = Parts { tensors: size.tensors().take(naming, &mut weights)?, path: weights.path() };
        Self::build(size, section, weights.device(), &mut parts).context("loading an autoencoder")
    }

    fn build(size: DecoderSize, section: Section, device: &Device, parts: &mut Parts) -> candle_core::Result<Self> {
        let has_post_quant = size.post_quant.is_some();
        let post_quant = has_post_quant.then(|| parts.conv("post_quant_conv", Convolution::same(1))).transpose()?;
        let levels = (0..size.widths.len()).rev().map(|level| {
            let block = |block| parts.residual(&format!("decoder.up.{level}.block.{block}"));
            let blocks = (0..size.blocks).map(block).collect::<candle_core::Result<_>>()?;
            let upsample = (level > 0).then(|| parts.conv(&format!("decoder.up.{level}.upsample.conv"), UPSAMPLE));
            Ok(Level { blocks, upsample: upsample.transpose()? })
        });
        Ok(Self {
            levels: levels.collect::<candle_core::Result<_>>()?,
            conv_in: parts.conv("decoder.conv_in", Convolution::same(3))?,
            middle: parts.middle("decoder.mid")?,
            norm_out: parts.norm("decoder.norm_out")?,
            conv_out: parts.conv("decoder.conv_out", Convolution::same(3))?,
            post_quant,
            section,
            device: device.clone(),
            path: parts.path,
            size,
        })
    }

    /// Sizes of the decoder.
    pub fn size(&self) -> &DecoderSize {
        &self.size
    }

    /// Section of the checkpoint that the weights are from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// Creates a decoder with random weights.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] for invalid sizes, or a failure of the device.
    pub fn random(size: &DecoderSize, seed: u64, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Self::load(Checkpoint::random("autoencoder", &Self::layout(size), seed), compute)
    }

    /// Checks that this decodes the latents of the model `name`.
    pub(crate) fn check(&self, name: &str, channels: usize, stride: usize) -> Result<(), BackendError> {
        let (found, found_stride) = (self.size.latent_channels, self.size.stride());
        if (found, found_stride) == (channels, stride) {
            return Ok(());
        }
        let reason = format!(
            "the autoencoder decodes latents of {found} channels at 1/{found_stride} of the resolution, the model generates \
             {channels} channels at 1/{stride}"
        );
        Err(BackendError::Config { model: name.to_owned(), reason })
    }

    /// Returns the input of the first 3x3 convolution: the output of the optional 1x1 convolution.
    ///
    /// # Shapes
    /// `latents`: `[images, latent channels, rows, columns]`; returns the same shape with the channels of that
    /// convolution.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn post_quant(&self, latents: &Tensor) -> Result<Tensor, BackendError> {
        let behind = || self.quantised(&Map::from_planes(latents, self.path)?)?.to_planes();
        behind().context("decoding latents")
    }

    fn quantised(&self, latents: &Map) -> candle_core::Result<Map> {
        match &self.post_quant {
            Some(convolution) => convolution.forward(latents),
            None => Ok(latents.clone()),
        }
    }

    fn forward(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.conv_in.forward(&self.quantised(&Map::from_planes(latents, self.path)?)?)?;
        let (mut x, _) = self.middle.forward(&x)?;
        for level in &self.levels {
            for residual in &level.blocks {
                x = residual.forward(&x)?;
            }
            if let Some(upsample) = &level.upsample {
                x = upsample.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.norm_out.activated(&x)?)?.to_planes()
    }

    /// Decodes unscaled latents.
    ///
    /// # Shapes
    /// `latents`: `[images, latent channels, rows, columns]`; returns: images of -1 (black)
    /// to 1 (white), `[images, image channels, rows * stride, columns * stride]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for a wrong number of channels, or a failure of the device.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, BackendError> {
        let (count, channels, rows, columns) = latents.dims4().context("decoding latents")?;
        if channels != self.size.latent_channels {
            let expected = self.size.latent_channels;
            return Err(BackendError::Request(format!(
                "expected latents of {expected} channels for the autoencoder, found {channels}"
            )));
        }
        let latents = latents.to_device(&self.device).context("decoding latents")?;
        // A bounded number of images at a time, so that memory does not depend on the batch.
        let together = self.together(rows, columns);
        let images = (0..count).step_by(together);
        let images = images.map(|first| self.forward(&latents.narrow(0, first, together.min(count - first))?));
        let images = images.collect::<candle_core::Result<Vec<_>>>();
        images.and_then(|images| Tensor::cat(&images, 0)).context("decoding latents")
    }

    /// Returns the number of images that are decoded at once, for latents of this size. On the host path it is 1, which is
    /// as fast as more.
    fn together(&self, rows: usize, columns: usize) -> usize {
        match self.path {
            ComputePath::Host => 1,
            ComputePath::Device => {
                let pixels = rows * columns * self.size.stride() * self.size.stride();
                // At full resolution the first layer still has the channels of the level before.
                let channels = self.size.widths.iter().take(2).max().copied().unwrap_or(1);
                (MEMORY / (LIVE * pixels * channels * size_of::<f32>()).max(1)).max(1)
            }
        }
    }

    /// Decodes unscaled latents to images of pixels.
    ///
    /// # Shapes
    /// Those of [`KlDecoder::decode`].
    ///
    /// # Errors
    /// Those of [`KlDecoder::decode`].
    pub fn pictures(&self, latents: &Tensor) -> Result<Vec<Picture>, BackendError> {
        pictures(&self.decode(latents)?)
    }
}
