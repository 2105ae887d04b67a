//! Sizes of autoencoders, read from their tensors, and the tensors of given sizes.

use std::collections::HashMap;

use candle_core::Tensor;

use super::GROUPS;
use super::names::{MOST, Naming};
use crate::BackendError;
use crate::checkpoint::{Checkpoint, WeightLayout, Weights};
use crate::counts::float;
use crate::error::Context;

/// Sizes of a decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderSize {
    /// Channels of the latent image.
    pub latent_channels: usize,
    /// Output channels of the 1x1 convolution at the start, if there is one.
    pub post_quant: Option<usize>,
    /// Channels of each level, from the highest resolution to the lowest. Each level after the first halves the
    /// resolution.
    pub widths: Vec<usize>,
    /// Number of residual blocks per level.
    pub blocks: usize,
    /// Channels of the image.
    pub image_channels: usize,
}

/// Sizes of an encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderSize {
    /// Channels of the image.
    pub image_channels: usize,
    /// Channels of each level, from the highest resolution to the lowest. Each level before the last halves the
    /// resolution.
    pub widths: Vec<usize>,
    /// Number of residual blocks per level.
    pub blocks: usize,
    /// Levels whose residual blocks are followed by attention.
    pub attention: Vec<usize>,
    /// Output channels of the last convolution: mean and log-variance.
    pub moments: usize,
    /// Output channels of the 1x1 convolution at the end, if there is one.
    pub quant: Option<usize>,
}

impl EncoderSize {
    /// Channels of the latent image.
    pub fn latent_channels(&self) -> usize {
        self.quant.unwrap_or(self.moments) / 2
    }

    /// Side of a latent value in pixels.
    pub fn stride(&self) -> usize {
        1 << self.widths.len().saturating_sub(1)
    }
}

impl DecoderSize {
    /// Published KL-16: 16 channels at 1/16 of the resolution.
    pub fn kl16() -> Self {
        let widths = vec![128, 128, 256, 256, 512];
        Self { latent_channels: 16, post_quant: Some(16), widths, blocks: 3, image_channels: 3 }
    }

    /// The autoencoder of Stable Diffusion 3.5: 16 channels at 1/8 of the resolution.
    pub fn stable_diffusion_3() -> Self {
        let widths = vec![128, 256, 512, 512];
        Self { latent_channels: 16, post_quant: None, widths, blocks: 3, image_channels: 3 }
    }

    /// Side of a latent value in pixels.
    pub fn stride(&self) -> usize {
        1 << self.widths.len().saturating_sub(1)
    }

    /// Number of operations of decoding one latent image: those of the convolutions and of the attention in the middle
    /// block. A multiplication and an addition are two operations.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::vae::DecoderSize;
    ///
    /// let size = DecoderSize { latent_channels: 2, post_quant: None, widths: vec![32], blocks: 1, image_channels: 1 };
    /// // For one pixel: 3x3 from 2 to 32 and from 32 to 1; three residual blocks; attention, whose two products have 32 each.
    /// let (ends, blocks, attention) = (9 * (2 * 32 + 32), 3 * 2 * 9 * 32 * 32, 4 * 32 * 32 + 2 * 32);
    /// assert_eq!(size.operations(1, 1), f64::from(2 * (ends + blocks + attention)));
    /// ```
    pub fn operations(&self, rows: usize, columns: usize) -> f64 {
        let mut pixels = float(rows * columns);
        let middle = self.widths.last().copied().unwrap_or_default();
        let mut sum = 4.0 * pixels * pixels * float(middle);
        for (name, shape) in self.tensors().0.iter().filter(|(_, shape)| shape.len() == 4) {
            // The upsampling before this convolution doubles rows and columns.
            if name.ends_with("upsample.conv.weight") {
                pixels *= 4.0;
            }
            sum += 2.0 * pixels * float(shape.iter().product());
        }
        sum
    }

    pub(super) fn infer(checkpoint: &Checkpoint, naming: Naming) -> Result<Self, BackendError> {
        let probe = Probe { checkpoint, naming };
        let size = Self {
            latent_channels: 0,
            post_quant: probe.size("post_quant_conv.weight", 0),
            widths: probe.widths("decoder.up"),
            blocks: probe.count(|block| format!("decoder.up.0.block.{block}.norm1.weight")),
            image_channels: probe.need("decoder.conv_out.weight", 0, 64)?,
        };
        let inside = probe.need("decoder.conv_in.weight", 1, 1024)?;
        let latent_channels =
            if size.post_quant.is_some() { probe.need("post_quant_conv.weight", 1, 1024)? } else { inside };
        probe.check(&size.widths, size.blocks)?;
        Ok(Self { latent_channels, post_quant: size.post_quant.map(|_| inside), ..size })
    }

    pub(super) fn tensors(&self) -> Tensors {
        let mut all = Tensors::default();
        let inside = self.post_quant.unwrap_or(self.latent_channels);
        if self.post_quant.is_some() {
            all.conv("post_quant_conv", self.latent_channels, inside, 1);
        }
        let mut width = self.widths.last().copied().unwrap_or(GROUPS);
        all.conv("decoder.conv_in", inside, width, 3);
        all.middle("decoder.mid", width);
        for (level, &next) in self.widths.iter().enumerate().rev() {
            for block in 0..self.blocks {
                all.residual(&format!("decoder.up.{level}.block.{block}"), width, next);
                width = next;
            }
            if level > 0 {
                all.conv(&format!("decoder.up.{level}.upsample.conv"), width, width, 3);
            }
        }
        all.norm("decoder.norm_out", width);
        all.conv("decoder.conv_out", width, self.image_channels, 3);
        all
    }
}

impl EncoderSize {
    pub(super) fn infer(checkpoint: &Checkpoint, naming: Naming) -> Result<Self, BackendError> {
        let probe = Probe { checkpoint, naming };
        let widths = probe.widths("encoder.down");
        let attention = |level: &usize| probe.has(&format!("encoder.down.{level}.attn.0.norm.weight"));
        let size = Self {
            image_channels: probe.need("encoder.conv_in.weight", 1, 64)?,
            blocks: probe.count(|block| format!("encoder.down.0.block.{block}.norm1.weight")),
            attention: (0..widths.len()).filter(attention).collect(),
            moments: probe.need("encoder.conv_out.weight", 0, 2048)?,
            quant: probe.size("quant_conv.weight", 0),
            widths,
        };
        probe.check(&size.widths, size.blocks)?;
        Ok(size)
    }

    pub(super) fn tensors(&self) -> Tensors {
        let mut all = Tensors::default();
        let mut width = self.widths.first().copied().unwrap_or(GROUPS);
        all.conv("encoder.conv_in", self.image_channels, width, 3);
        for (level, &next) in self.widths.iter().enumerate() {
            for block in 0..self.blocks {
                all.residual(&format!("encoder.down.{level}.block.{block}"), width, next);
                if self.attention.contains(&level) {
                    all.attention(&format!("encoder.down.{level}.attn.{block}"), next);
                }
                width = next;
            }
            if level + 1 < self.widths.len() {
                all.conv(&format!("encoder.down.{level}.downsample.conv"), width, width, 3);
            }
        }
        all.middle("encoder.mid", width);
        all.norm("encoder.norm_out", width);
        all.conv("encoder.conv_out", width, self.moments, 3);
        if let Some(quant) = self.quant {
            all.conv("quant_conv", self.moments, quant, 1);
        }
        all
    }
}

/// Reads sizes from the shapes of a checkpoint.
struct Probe<'a> {
    checkpoint: &'a Checkpoint,
    naming: Naming,
}

impl Probe<'_> {
    fn has(&self, name: &str) -> bool {
        self.naming.info(self.checkpoint, name).is_some()
    }

    fn size(&self, name: &str, dimension: usize) -> Option<usize> {
        self.naming.info(self.checkpoint, name)?.shape.get(dimension).copied()
    }

    fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..=MOST).take_while(|&number| self.has(&name(number))).count()
    }

    fn wrong(&self, reason: String) -> BackendError {
        BackendError::Checkpoint { file: self.checkpoint.name().to_owned(), reason }
    }

    fn need(&self, name: &str, dimension: usize, most: usize) -> Result<usize, BackendError> {
        let name_in_file = self.naming.in_file(name);
        let found = self.size(name, dimension).ok_or_else(|| {
            self.wrong(format!(
                "an autoencoder has `{name_in_file}`, a tensor of four dimensions, and this file does not"
            ))
        })?;
        let fits = (1..=most).contains(&found);
        fits.then_some(found)
            .ok_or_else(|| self.wrong(format!("`{name_in_file}` has {found} channels, expected at most {most}")))
    }

    /// Returns the channels of each level: the output channels of its first block.
    fn widths(&self, half: &str) -> Vec<usize> {
        let width = |level: usize| self.size(&format!("{half}.{level}.block.0.conv1.weight"), 0);
        (0..=MOST).map_while(width).collect()
    }

    fn check(&self, widths: &[usize], blocks: usize) -> Result<(), BackendError> {
        if let Some(width) = widths.iter().find(|width| !(1..=8192).contains(*width) || *width % GROUPS != 0) {
            return Err(self.wrong(format!("expected a multiple of {GROUPS} channels in each level, found {width}")));
        }
        if !(1..=MOST).contains(&widths.len()) || !(1..=MOST).contains(&blocks) {
            let levels = widths.len();
            return Err(
                self.wrong(format!("autoencoders of {levels} levels with {blocks} blocks each are not supported"))
            );
        }
        Ok(())
    }
}

/// Tensors by the names of latent diffusion, with their shapes.
#[derive(Clone, Debug, Default)]
pub(super) struct Tensors(Vec<(String, Vec<usize>)>);

impl Tensors {
    fn conv(&mut self, name: &str, from: usize, to: usize, kernel: usize) {
        self.0.push((format!("{name}.weight"), vec![to, from, kernel, kernel]));
        self.0.push((format!("{name}.bias"), vec![to]));
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.0.push((format!("{name}.weight"), vec![width]));
        self.0.push((format!("{name}.bias"), vec![width]));
    }

    fn residual(&mut self, name: &str, from: usize, to: usize) {
        self.norm(&format!("{name}.norm1"), from);
        self.conv(&format!("{name}.conv1"), from, to, 3);
        self.norm(&format!("{name}.norm2"), to);
        self.conv(&format!("{name}.conv2"), to, to, 3);
        if from != to {
            self.conv(&format!("{name}.nin_shortcut"), from, to, 1);
        }
    }

    fn attention(&mut self, name: &str, width: usize) {
        self.norm(&format!("{name}.norm"), width);
        for part in ["q", "k", "v", "proj_out"] {
            self.conv(&format!("{name}.{part}"), width, width, 1);
        }
    }

    fn middle(&mut self, name: &str, width: usize) {
        self.residual(&format!("{name}.block_1"), width, width);
        self.attention(&format!("{name}.attn_1"), width);
        self.residual(&format!("{name}.block_2"), width, width);
    }

    pub(super) fn declare(&self, naming: Naming, layout: &mut WeightLayout) {
        for (name, shape) in &self.0 {
            layout.add(naming.in_file(name), &naming.shape_in_file(name, shape));
        }
    }

    /// Takes all tensors.
    pub(super) fn take(&self, naming: Naming, weights: &mut Weights) -> Result<HashMap<String, Tensor>, BackendError> {
        let take = |(name, shape): &(String, Vec<usize>)| {
            let tensor = weights.take(&naming.in_file(name), &naming.shape_in_file(name, shape))?;
            Ok((name.clone(), tensor.reshape(shape.as_slice()).context("loading an autoencoder")?))
        };
        self.0.iter().map(take).collect()
    }
}

/// Declares the tensors of both halves that a file has, so that those of the unused half are not unexpected.
pub(super) fn declare(checkpoint: &Checkpoint, naming: Naming) -> Result<WeightLayout, BackendError> {
    let mut layout = WeightLayout::default();
    let has = |half: &str| checkpoint.tensors().any(|(name, _)| name.starts_with(half));
    if has("decoder.") {
        DecoderSize::infer(checkpoint, naming)?.tensors().declare(naming, &mut layout);
    }
    if has("encoder.") {
        EncoderSize::infer(checkpoint, naming)?.tensors().declare(naming, &mut layout);
    }
    Ok(layout)
}
