//! Latent images to pictures.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, VarBuilder};
use candle_transformers::models::flux::autoencoder::{Config, Decoder};

use super::layout::{DecoderSize, declare};
use super::names::Naming;
use super::pictures;
use crate::checkpoint::{Checkpoint, Kind, Layout, Section, Weights};
use crate::error::Context;
use crate::{BackendError, Picture};

/// The decoder of a KL autoencoder.
///
/// # Source
/// LTH14/mar, `models/vae.py`; the computation is that of candle-transformers.
#[derive(Debug)]
pub struct KlDecoder {
    size: DecoderSize,
    section: Section,
    device: Device,
    post_quant: Option<Conv2d>,
    decoder: Decoder,
}

impl KlDecoder {
    /// The tensors that a decoder of these sizes consists of, by their names in latent diffusion.
    pub fn layout(size: &DecoderSize) -> Layout {
        let mut layout = Layout::default();
        size.tensors().declare(Naming::LatentDiffusion, &mut layout);
        layout
    }

    /// Loads the decoder of a file, which may hold the encoder too; its sizes are those of its tensors.
    ///
    /// # Errors
    /// What is wrong with its tensors: [`BackendError::Checkpoint`] if it is no autoencoder, else as [`Weights::new`] and
    /// [`Weights::take`].
    pub fn load(checkpoint: Checkpoint, device: &Device) -> Result<Self, BackendError> {
        Kind::Autoencoder.expect(&checkpoint)?;
        let naming = Naming::of(&checkpoint);
        let size = DecoderSize::infer(&checkpoint, naming)?;
        let section = checkpoint.section();
        let layout = declare(&checkpoint, naming)?;
        let mut weights = Weights::new(checkpoint, layout, device)?;
        let mut tensors = size.tensors().take(naming, &mut weights)?;
        let mut convolution = |name: &str| {
            let weight = tensors.remove(&format!("{name}.weight"))?;
            Some(Conv2d::new(weight, tensors.remove(&format!("{name}.bias")), Conv2dConfig::default()))
        };
        let post_quant = convolution("post_quant_conv");
        // Tensors are shared, not copied.
        let builder = VarBuilder::from_tensors(tensors, DType::F32, device);
        let decoder = Decoder::new(&config(&size), builder.pp("decoder")).context("loading an autoencoder")?;
        Ok(Self { size, section, device: device.clone(), post_quant, decoder })
    }

    /// Its sizes.
    pub fn size(&self) -> &DecoderSize {
        &self.size
    }

    /// Which part of its checkpoint the weights are.
    pub fn section(&self) -> Section {
        self.section
    }

    /// A decoder with weights from a seed.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] for sizes that no autoencoder has, or a failure of the device.
    pub fn random(size: &DecoderSize, seed: u64, device: &Device) -> Result<Self, BackendError> {
        Self::load(Checkpoint::random("autoencoder", &Self::layout(size), seed), device)
    }

    /// Whether this decodes what the model `name` generates.
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

    /// What enters the decoder proper, behind the 1x1 convolution that may come first.
    ///
    /// # Shapes
    /// `latents`: `[images, latent channels, rows, columns]`; returns the same with the channels of that convolution.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn post_quant(&self, latents: &Tensor) -> Result<Tensor, BackendError> {
        match &self.post_quant {
            Some(convolution) => convolution.forward(latents).context("decoding latents"),
            None => Ok(latents.clone()),
        }
    }

    /// Images from latents that have no scale any more.
    ///
    /// # Shapes
    /// `latents`: `[images, latent channels, rows, columns]`; returns: `[images, image channels, rows * stride, columns *
    /// stride]`, -1 (black) to 1 (white).
    ///
    /// # Errors
    /// [`BackendError::Request`] for a wrong number of channels, or a failure of the device.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, BackendError> {
        let (count, channels, _, _) = latents.dims4().context("decoding latents")?;
        if channels != self.size.latent_channels {
            let expected = self.size.latent_channels;
            return Err(BackendError::Request(format!(
                "the autoencoder decodes latents of {expected} channels, not of {channels}"
            )));
        }
        let latents = latents.to_device(&self.device).context("decoding latents")?;
        // One at a time: memory and bits do not depend on the batch, nor on how the library treats batches.
        let images = (0..count).map(|image| {
            let one = latents.narrow(0, image, 1).and_then(|one| one.contiguous()).context("decoding latents")?;
            self.decoder.forward(&self.post_quant(&one)?).context("decoding latents")
        });
        let images = images.collect::<Result<Vec<_>, _>>()?;
        Tensor::cat(&images, 0).context("decoding latents")
    }

    /// Pictures from latents that have no scale any more.
    ///
    /// # Shapes
    /// As [`KlDecoder::decode`].
    ///
    /// # Errors
    /// As [`KlDecoder::decode`].
    pub fn pictures(&self, latents: &Tensor) -> Result<Vec<Picture>, BackendError> {
        pictures(&self.decode(latents)?)
    }
}

/// The sizes as candle-transformers wants them: widths as multiples of a common one. Resolution and scales are not looked at.
fn config(size: &DecoderSize) -> Config {
    let common = size.widths.iter().copied().fold(0, greatest_common_divisor).max(1);
    Config {
        resolution: 0,
        in_channels: size.image_channels,
        ch: common,
        out_ch: size.image_channels,
        ch_mult: size.widths.iter().map(|width| width / common).collect(),
        num_res_blocks: size.blocks.saturating_sub(1),
        z_channels: size.post_quant.unwrap_or(size.latent_channels),
        scale_factor: 1.0,
        shift_factor: 0.0,
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
