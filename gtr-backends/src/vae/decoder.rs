//! Decoder of KL autoencoders.

use candle_core::{Device, Tensor};
use gtr_kernels::Convolution;

use super::layers::{Conv, Map, Middle, Norm, Residual};
use super::names::{NamedWeights, Naming};
use super::size::DecoderSize;
use super::{GROUPS, pictures};
use crate::checkpoint::{Section, WeightLayout};
use crate::error::Context;
use crate::{BackendError, ComputePath, Picture};

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

impl Level {
    /// `before` and `width` are the numbers of channels of the level before and of this level.
    fn load(
        weights: &mut NamedWeights<'_>,
        level: usize,
        [before, width]: [usize; 2],
        blocks: usize,
    ) -> Result<Self, BackendError> {
        let name = format!("decoder.up.{level}");
        let blocks = (0..blocks).map(|block| {
            let before = if block == 0 { before } else { width };
            Residual::load(weights, &format!("{name}.block.{block}"), before, width)
        });
        let blocks = blocks.collect::<Result<_, _>>()?;
        let upsample =
            (level > 0).then(|| Conv::load(weights, &format!("{name}.upsample.conv"), width, width, UPSAMPLE));
        Ok(Self { blocks, upsample: upsample.transpose()? })
    }
}

impl KlDecoder {
    /// Returns the tensors of a decoder of these sizes, by their names in latent diffusion.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn layout(size: &DecoderSize) -> Result<WeightLayout, BackendError> {
        WeightLayout::of(|weights| {
            let mut weights = NamedWeights { weights, naming: Naming::LatentDiffusion };
            Self::build(size.clone(), Section::random(), &mut weights)
        })
    }

    pub(super) fn build(
        size: DecoderSize,
        section: Section,
        weights: &mut NamedWeights<'_>,
    ) -> Result<Self, BackendError> {
        let (latent, inside) = (size.latent_channels, size.post_quant.unwrap_or(size.latent_channels));
        let post_quant = size.post_quant.is_some();
        let post_quant =
            post_quant.then(|| Conv::load(weights, "post_quant_conv", latent, inside, Convolution::same(1)));
        let lowest = size.widths.last().copied().unwrap_or(GROUPS);
        let (mut width, mut levels) = (lowest, Vec::new());
        for (level, &next) in size.widths.iter().enumerate().rev() {
            levels.push(Level::load(weights, level, [width, next], size.blocks)?);
            width = next;
        }
        Ok(Self {
            post_quant: post_quant.transpose()?,
            conv_in: Conv::load(weights, "decoder.conv_in", inside, lowest, Convolution::same(3))?,
            middle: Middle::load(weights, "decoder.mid", lowest)?,
            levels,
            norm_out: Norm::load(weights, "decoder.norm_out", width)?,
            conv_out: Conv::load(weights, "decoder.conv_out", width, size.image_channels, Convolution::same(3))?,
            section,
            device: weights.device().clone(),
            path: weights.path(),
            size,
        })
    }

    /// Number of operations of decoding one latent image of `rows` by `columns` values: those of the convolutions and of
    /// the attention in the middle block. A multiplication and an addition are two operations.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::Device;
    /// use gtr_backends::vae::{DecoderSize, KlDecoder};
    ///
    /// let size = DecoderSize { latent_channels: 2, post_quant: None, widths: vec![32], blocks: 1, image_channels: 1 };
    /// let decoder = KlDecoder::random(&size, 0, &Device::Cpu)?;
    /// // For one pixel: 3x3 from 2 to 32 and from 32 to 1; three residual blocks; attention, whose two products have 32 each.
    /// let (ends, blocks, attention) = (9 * (2 * 32 + 32), 3 * 2 * 9 * 32 * 32, 4 * 32 * 32 + 2 * 32);
    /// assert_eq!(decoder.operations(1, 1), f64::from(2 * (ends + blocks + attention)));
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn operations(&self, rows: usize, columns: usize) -> f64 {
        let mut pixels = rows * columns;
        let ends = self.post_quant.iter().chain([&self.conv_in]);
        let mut sum = ends.map(|conv| conv.operations(pixels)).sum::<f64>() + self.middle.operations(pixels);
        for level in &self.levels {
            sum += level.blocks.iter().map(|residual| residual.operations(pixels)).sum::<f64>();
            if let Some(upsample) = &level.upsample {
                pixels *= 4;
                sum += upsample.operations(pixels);
            }
        }
        sum + self.conv_out.operations(pixels)
    }

    /// Sizes of the decoder.
    pub fn size(&self) -> &DecoderSize {
        &self.size
    }

    /// Section of the checkpoint that the weights are from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// Checks that this decodes the latents of the model `name`.
    pub(crate) fn check(&self, name: &str, channels: usize, stride: usize) -> Result<(), BackendError> {
        let (found, found_stride) = (self.size.latent_channels, self.size.stride());
        if (found, found_stride) == (channels, stride) {
            return Ok(());
        }
        let reason = format!(
            "the autoencoder decodes latents of {} at 1/{found_stride} of the resolution, the model generates {} at 1/{stride}",
            gtr_core::count(found, "channel"),
            gtr_core::count(channels, "channel")
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
                "expected latents of {} for the autoencoder, found {channels}",
                gtr_core::count(expected, "channel")
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
