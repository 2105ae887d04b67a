//! Sizes of autoencoders, read from their tensors.

use super::GROUPS;
use super::names::{MOST, Naming};
use crate::BackendError;
use crate::checkpoint::Checkpoint;

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
        fits.then_some(found).ok_or_else(|| {
            self.wrong(format!("`{name_in_file}` has {}, expected 1 to {most}", gtr_core::count(found, "channel")))
        })
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
            let (levels, blocks) = (gtr_core::count(widths.len(), "level"), gtr_core::count(blocks, "block"));
            return Err(self.wrong(format!("autoencoders of {levels} with {blocks} each are not supported")));
        }
        Ok(())
    }
}
