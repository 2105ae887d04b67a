//! Encoder of KL autoencoders.

use candle_core::Tensor;
use gtr_kernels::Convolution;

use super::GROUPS;
use super::layers::{Attention, Conv, Map, Middle, Norm, Residual};
use super::names::NamedWeights;
use super::size::EncoderSize;
use crate::error::Context;
use crate::{BackendError, ComputePath};

/// Encoder of a KL autoencoder.
///
/// # Source
/// LTH14/mar, `models/vae.py`.
#[derive(Debug)]
pub struct KlEncoder {
    size: EncoderSize,
    conv_in: Conv,
    levels: Vec<Level>,
    middle: Middle,
    norm_out: Norm,
    conv_out: Conv,
    quant: Option<Conv>,
    path: ComputePath,
}

/// A distribution of latent images: an independent normal distribution per value.
#[derive(Clone, Debug)]
pub struct LatentMoments {
    /// `[images, latent channels, rows, columns]`.
    pub mean: Tensor,
    /// Same shape; clamped to -30 to 20.
    pub log_variance: Tensor,
}

impl LatentMoments {
    /// Samples latents with standard normal `noise` of the same shape.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor, BackendError> {
        let deviation = (&self.log_variance / 2.0).and_then(|half| half.exp());
        deviation.and_then(|deviation| &self.mean + (deviation * noise)?).context("sampling latents")
    }
}

/// Halves the resolution. Zeros are padded below and on the right only.
const DOWNSAMPLE: Convolution = Convolution { side: 3, stride: 2, padding: (0, 1), enlarged: 1 };

#[derive(Debug)]
struct Level {
    blocks: Vec<(Residual, Option<Attention>)>,
    downsample: Option<Conv>,
}

impl Level {
    /// `before` and `width` are the numbers of channels of the level before and of this level.
    fn load(
        weights: &mut NamedWeights<'_>,
        level: usize,
        [before, width]: [usize; 2],
        size: &EncoderSize,
    ) -> Result<Self, BackendError> {
        let name = format!("encoder.down.{level}");
        let blocks = (0..size.blocks).map(|block| {
            let before = if block == 0 { before } else { width };
            let residual = Residual::load(weights, &format!("{name}.block.{block}"), before, width)?;
            let attention = size.attention.contains(&level);
            let attention = attention.then(|| Attention::load(weights, &format!("{name}.attn.{block}"), width));
            Ok((residual, attention.transpose()?))
        });
        let blocks = blocks.collect::<Result<_, BackendError>>()?;
        let downsample = (level + 1 < size.widths.len())
            .then(|| Conv::load(weights, &format!("{name}.downsample.conv"), width, width, DOWNSAMPLE));
        Ok(Self { blocks, downsample: downsample.transpose()? })
    }
}

impl KlEncoder {
    pub(super) fn build(size: EncoderSize, weights: &mut NamedWeights<'_>) -> Result<Self, BackendError> {
        let highest = size.widths.first().copied().unwrap_or(GROUPS);
        let (mut width, mut levels) = (highest, Vec::new());
        for (level, &next) in size.widths.iter().enumerate() {
            levels.push(Level::load(weights, level, [width, next], &size)?);
            width = next;
        }
        let quant =
            size.quant.map(|quant| Conv::load(weights, "quant_conv", size.moments, quant, Convolution::same(1)));
        Ok(Self {
            quant: quant.transpose()?,
            conv_in: Conv::load(weights, "encoder.conv_in", size.image_channels, highest, Convolution::same(3))?,
            levels,
            middle: Middle::load(weights, "encoder.mid", width)?,
            norm_out: Norm::load(weights, "encoder.norm_out", width)?,
            conv_out: Conv::load(weights, "encoder.conv_out", width, size.moments, Convolution::same(3))?,
            path: weights.path(),
            size,
        })
    }

    /// Sizes of the encoder.
    pub fn size(&self) -> &EncoderSize {
        &self.size
    }

    /// Checks that this encodes to the latents of the model `name`.
    pub(crate) fn check(&self, name: &str, channels: usize, stride: usize) -> Result<(), BackendError> {
        let (found, found_stride) = (self.size.latent_channels(), self.size.stride());
        if (found, found_stride) == (channels, stride) {
            return Ok(());
        }
        let reason = format!(
            "the autoencoder encodes to latents of {} at 1/{found_stride} of the resolution, the model generates {} at \
             1/{stride}",
            gtr_core::count(found, "channel"),
            gtr_core::count(channels, "channel")
        );
        Err(BackendError::Config { model: name.to_owned(), reason })
    }

    /// Encodes images to unscaled latents.
    ///
    /// # Shapes
    /// `images`: `[images, channels, rows, columns]`, -1 (black) to 1 (white).
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn encode(&self, images: &Tensor) -> Result<LatentMoments, BackendError> {
        let moments = self.trace(images, |_, _| ())?;
        let half = |number: usize| moments.chunk(2, 1).map(|halves| halves[number].clone());
        let mean = half(0).context("splitting mean and variance")?;
        let log_variance = half(1).and_then(|values| values.clamp(-30_f32, 20_f32));
        Ok(LatentMoments { mean, log_variance: log_variance.context("splitting mean and variance")? })
    }

    /// Returns mean and log-variance of the last convolution, and passes the output of each layer to `look`.
    ///
    /// # Shapes
    /// `images`: like [`KlEncoder::encode`]; returns: `[images, 2 * latent channels, rows, columns]`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn trace(&self, images: &Tensor, look: impl FnMut(&str, &Tensor)) -> Result<Tensor, BackendError> {
        self.forward(images, look).context("encoding images")
    }

    fn forward(&self, images: &Tensor, mut look: impl FnMut(&str, &Tensor)) -> candle_core::Result<Tensor> {
        let mut x = self.conv_in.forward(&Map::from_planes(images, self.path)?)?;
        let mut show = |part: &str, x: &Map| -> candle_core::Result<()> {
            look(part, &x.to_planes()?);
            Ok(())
        };
        show("conv_in", &x)?;
        for (number, level) in self.levels.iter().enumerate() {
            for (residual, attention) in &level.blocks {
                x = residual.forward(&x)?;
                if let Some(attention) = attention {
                    x = attention.forward(&x)?;
                }
            }
            if let Some(downsample) = &level.downsample {
                x = downsample.forward(&x)?;
            }
            show(&format!("down.{number}"), &x)?;
        }
        let (last, mixed) = self.middle.forward(&x)?;
        show("mid.attn_1", &mixed)?;
        x = self.conv_out.forward(&self.norm_out.activated(&last)?)?;
        show("encoder_out", &x)?;
        match &self.quant {
            Some(quant) => quant.forward(&x)?.to_planes(),
            None => x.to_planes(),
        }
    }
}
