//! Pictures to latent images: what candle-transformers' encoders lack is the attention at the lowest resolution.

use std::collections::HashMap;

use candle_core::{D, Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, GroupNorm};

use super::layout::{EncoderSize, declare};
use super::names::Naming;
use super::{EPS, GROUPS};
use crate::BackendError;
use crate::checkpoint::{Checkpoint, Kind, Weights};
use crate::error::Context;

/// The encoder of a KL autoencoder.
///
/// # Source
/// LTH14/mar, `models/vae.py`.
#[derive(Debug)]
pub struct KlEncoder {
    size: EncoderSize,
    conv_in: Conv2d,
    levels: Vec<Level>,
    middle: (Residual, Attention, Residual),
    norm_out: GroupNorm,
    conv_out: Conv2d,
    quant: Option<Conv2d>,
}

/// A distribution over latent images, a normal one for each value.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[images, latent channels, rows, columns]`.
    pub mean: Tensor,
    /// The same shape; kept between -30 and 20.
    pub log_variance: Tensor,
}

impl Moments {
    /// The latents that standard normal `noise` of the same shape leads to.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor, BackendError> {
        let deviation = (&self.log_variance / 2.0).and_then(|half| half.exp());
        deviation.and_then(|deviation| &self.mean + (deviation * noise)?).context("sampling latents")
    }
}

#[derive(Debug)]
struct Level {
    blocks: Vec<(Residual, Option<Attention>)>,
    downsample: Option<Conv2d>,
}

impl KlEncoder {
    /// Loads the encoder of a file, which may hold the decoder too; its sizes are those of its tensors.
    ///
    /// # Errors
    /// What is wrong with its tensors: [`BackendError::Checkpoint`] if it is no autoencoder, else as [`Weights::new`] and
    /// [`Weights::take`].
    pub fn load(checkpoint: Checkpoint, device: &Device) -> Result<Self, BackendError> {
        Kind::Autoencoder.expect(&checkpoint)?;
        let naming = Naming::of(&checkpoint);
        let size = EncoderSize::infer(&checkpoint, naming)?;
        let layout = declare(&checkpoint, naming)?;
        let mut weights = Weights::new(checkpoint, layout, device)?;
        let mut parts = Parts(size.tensors().take(naming, &mut weights)?);
        Self::build(size, &mut parts).context("loading an autoencoder")
    }

    fn build(size: EncoderSize, parts: &mut Parts) -> candle_core::Result<Self> {
        let levels = (0..size.widths.len()).map(|level| {
            let blocks = (0..size.blocks).map(|block| {
                let residual = parts.residual(&format!("encoder.down.{level}.block.{block}"))?;
                let attention = size.attention.contains(&level);
                let attention = attention.then(|| parts.attention(&format!("encoder.down.{level}.attn.{block}")));
                Ok((residual, attention.transpose()?))
            });
            let blocks = blocks.collect::<candle_core::Result<_>>()?;
            let last = level + 1 == size.widths.len();
            let downsample = (!last).then(|| parts.conv(&format!("encoder.down.{level}.downsample.conv"), 0, 2));
            Ok(Level { blocks, downsample: downsample.transpose()? })
        });
        Ok(Self {
            levels: levels.collect::<candle_core::Result<_>>()?,
            conv_in: parts.conv("encoder.conv_in", 1, 1)?,
            middle: (
                parts.residual("encoder.mid.block_1")?,
                parts.attention("encoder.mid.attn_1")?,
                parts.residual("encoder.mid.block_2")?,
            ),
            norm_out: parts.norm("encoder.norm_out")?,
            conv_out: parts.conv("encoder.conv_out", 1, 1)?,
            quant: size.quant.is_some().then(|| parts.conv("quant_conv", 0, 1)).transpose()?,
            size,
        })
    }

    /// Its sizes.
    pub fn size(&self) -> &EncoderSize {
        &self.size
    }

    /// Whether this encodes to what the model `name` generates.
    pub(crate) fn check(&self, name: &str, channels: usize, stride: usize) -> Result<(), BackendError> {
        let (found, found_stride) = (self.size.latent_channels(), self.size.stride());
        if (found, found_stride) == (channels, stride) {
            return Ok(());
        }
        let reason = format!(
            "the autoencoder encodes to latents of {found} channels at 1/{found_stride} of the resolution, the model \
             generates {channels} channels at 1/{stride}"
        );
        Err(BackendError::Config { model: name.to_owned(), reason })
    }

    /// The latents of images, before any scale.
    ///
    /// # Shapes
    /// `images`: `[images, channels, rows, columns]`, -1 (black) to 1 (white).
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn encode(&self, images: &Tensor) -> Result<Moments, BackendError> {
        let moments = self.trace(images, |_, _| ())?;
        let half = |number: usize| moments.chunk(2, 1).map(|halves| halves[number].clone());
        let mean = half(0).context("splitting mean and variance")?;
        let log_variance = half(1).and_then(|values| values.clamp(-30_f32, 20_f32));
        Ok(Moments { mean, log_variance: log_variance.context("splitting mean and variance")? })
    }

    /// Mean and log-variance as they leave the last convolution, showing what leaves each part to `look`.
    ///
    /// # Shapes
    /// `images`: as [`KlEncoder::encode`]; returns: `[images, 2 * latent channels, rows, columns]`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn trace(&self, images: &Tensor, look: impl FnMut(&str, &Tensor)) -> Result<Tensor, BackendError> {
        self.forward(images, look).context("encoding images")
    }

    fn forward(&self, images: &Tensor, mut look: impl FnMut(&str, &Tensor)) -> candle_core::Result<Tensor> {
        let mut x = self.conv_in.forward(images)?;
        look("conv_in", &x);
        for (number, level) in self.levels.iter().enumerate() {
            for (residual, attention) in &level.blocks {
                x = residual.forward(&x)?;
                if let Some(attention) = attention {
                    x = attention.forward(&x)?;
                }
            }
            if let Some(downsample) = &level.downsample {
                // A row below and a column on the right: the stride of 2 then meets every pixel.
                let padded = x.pad_with_zeros(D::Minus1, 0, 1)?.pad_with_zeros(D::Minus2, 0, 1)?;
                x = downsample.forward(&padded)?; // (images, width, rows / 2, columns / 2)
            }
            look(&format!("down.{number}"), &x);
        }
        let (first, attention, second) = &self.middle;
        x = attention.forward(&first.forward(&x)?)?;
        look("mid.attn_1", &x);
        x = second.forward(&x)?;
        x = self.conv_out.forward(&self.norm_out.forward(&x)?.silu()?)?;
        look("encoder_out", &x);
        match &self.quant {
            Some(quant) => quant.forward(&x),
            None => Ok(x),
        }
    }
}

#[derive(Debug)]
struct Residual {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl Residual {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let hidden = self.conv1.forward(&self.norm1.forward(x)?.silu()?)?;
        let hidden = self.conv2.forward(&self.norm2.forward(&hidden)?.silu()?)?;
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(x)? + hidden,
            None => x + hidden,
        }
    }
}

#[derive(Debug)]
struct Attention {
    norm: GroupNorm,
    query: Conv2d,
    key: Conv2d,
    value: Conv2d,
    projection: Conv2d,
}

impl Attention {
    #[expect(clippy::cast_precision_loss, reason = "channels are fewer than 2^24")]
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (images, width, rows, columns) = x.dims4()?;
        let normed = self.norm.forward(x)?;
        let pixels = |conv: &Conv2d| conv.forward(&normed)?.flatten_from(2)?.transpose(1, 2)?.contiguous();
        let query = (pixels(&self.query)? * (width as f64).powf(-0.5))?; // (images, rows * columns, width)
        let scores = query.matmul(&pixels(&self.key)?.transpose(1, 2)?)?; // (images, rows * columns, rows * columns)
        let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&pixels(&self.value)?)?;
        let mixed = mixed.transpose(1, 2)?.reshape((images, width, rows, columns))?;
        x + self.projection.forward(&mixed)?
    }
}

/// Tensors by name, to be made into layers.
struct Parts(HashMap<String, Tensor>);

impl Parts {
    fn part(&mut self, name: &str) -> candle_core::Result<Tensor> {
        self.0.remove(name).ok_or_else(|| candle_core::Error::Msg(format!("`{name}` was not declared")))
    }

    fn conv(&mut self, name: &str, padding: usize, stride: usize) -> candle_core::Result<Conv2d> {
        let config = Conv2dConfig { padding, stride, ..Conv2dConfig::default() };
        let weight = self.part(&format!("{name}.weight"))?;
        Ok(Conv2d::new(weight, Some(self.part(&format!("{name}.bias"))?), config))
    }

    fn norm(&mut self, name: &str) -> candle_core::Result<GroupNorm> {
        let (scale, shift) = (self.part(&format!("{name}.weight"))?, self.part(&format!("{name}.bias"))?);
        let width = scale.dim(0)?;
        GroupNorm::new(scale, shift, width, GROUPS, EPS)
    }

    fn residual(&mut self, name: &str) -> candle_core::Result<Residual> {
        let shortcut = format!("{name}.nin_shortcut");
        let shortcut = self.0.contains_key(&format!("{shortcut}.weight")).then(|| self.conv(&shortcut, 0, 1));
        Ok(Residual {
            norm1: self.norm(&format!("{name}.norm1"))?,
            conv1: self.conv(&format!("{name}.conv1"), 1, 1)?,
            norm2: self.norm(&format!("{name}.norm2"))?,
            conv2: self.conv(&format!("{name}.conv2"), 1, 1)?,
            shortcut: shortcut.transpose()?,
        })
    }

    fn attention(&mut self, name: &str) -> candle_core::Result<Attention> {
        let mut conv = |part: &str| self.conv(&format!("{name}.{part}"), 0, 1);
        let (query, key, value, projection) = (conv("q")?, conv("k")?, conv("v")?, conv("proj_out")?);
        Ok(Attention { norm: self.norm(&format!("{name}.norm"))?, query, key, value, projection })
    }
}
