//! The two naming conventions of tensors.

use candle_core::{Device, Tensor};

use crate::checkpoint::{Checkpoint, TensorInfo, Weights};
use crate::error::Context;
use crate::{BackendError, ComputePath};

/// Naming convention of a file. All other files of this folder use the names of latent diffusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `decoder.up.3.block.0.norm1.weight`
    LatentDiffusion,
    /// `decoder.up_blocks.0.resnets.0.norm1.weight`; levels of the decoder are counted in the order of computation.
    Diffusers {
        /// Number of levels of the autoencoder.
        levels: usize,
    },
}

/// Largest number of levels, and of blocks in a level.
pub(super) const MOST: usize = 8;

impl Naming {
    /// Returns the naming convention of a file: that of latent diffusion unless it has a tensor that only diffusers
    /// has.
    pub(super) fn of(checkpoint: &Checkpoint) -> Self {
        let levels = |half: &str| {
            let holds = |level: &usize| checkpoint.info(&format!("{half}.{level}.resnets.0.norm1.weight")).is_some();
            (0..=MOST).take_while(holds).count()
        };
        match levels("decoder.up_blocks").max(levels("encoder.down_blocks")) {
            0 => Self::LatentDiffusion,
            levels => Self::Diffusers { levels },
        }
    }

    /// Returns the name of a tensor in the file.
    pub(super) fn in_file(self, name: &str) -> String {
        let Self::Diffusers { levels } = self else { return name.to_owned() };
        let mut parts: Vec<String> = name.split('.').map(str::to_owned).collect();
        let number = |part: &str, from: usize, one: &str| {
            part.strip_prefix(one).and_then(|part| part.parse::<usize>().ok()).map_or(0, |number| number - from)
        };
        match parts.get(1).map(String::as_str) {
            Some("norm_out") => parts[1] = "conv_norm_out".into(),
            Some("mid") => {
                parts[1] = "mid_block".into();
                let part = parts[2].clone();
                if part.starts_with("attn") {
                    parts.splice(2..3, ["attentions".into(), number(&part, 1, "attn_").to_string()]);
                    rename_attention(&mut parts[4..]);
                } else {
                    parts.splice(2..3, ["resnets".into(), number(&part, 1, "block_").to_string()]);
                }
            }
            Some(half @ ("up" | "down")) => {
                if half == "up" {
                    let level = number(&parts[2], 0, "");
                    // A missing level is also missing under its new name.
                    let level = levels.checked_sub(1 + level).unwrap_or(level);
                    (parts[1], parts[2]) = ("up_blocks".into(), level.to_string());
                } else {
                    parts[1] = "down_blocks".into();
                }
                match parts[3].as_str() {
                    "block" => parts[3] = "resnets".into(),
                    "attn" => {
                        parts[3] = "attentions".into();
                        rename_attention(&mut parts[5..]);
                    }
                    "upsample" => _ = parts.splice(3..4, ["upsamplers".into(), "0".into()]).count(),
                    "downsample" => _ = parts.splice(3..4, ["downsamplers".into(), "0".into()]).count(),
                    _ => {}
                }
            }
            _ => {}
        }
        parts.join(".").replace("nin_shortcut", "conv_shortcut")
    }

    /// Returns the shape of a tensor in the file: diffusers stores the 1x1 convolutions of attention as matrices.
    fn shape_in_file(self, name: &str, shape: &[usize]) -> Vec<usize> {
        let attention = name.contains(".attn") && shape.len() == 4;
        if attention && self != Self::LatentDiffusion { shape[..2].to_vec() } else { shape.to_vec() }
    }

    /// Returns the description of a tensor in the file.
    pub(super) fn info(self, checkpoint: &Checkpoint, name: &str) -> Option<TensorInfo> {
        checkpoint.info(&self.in_file(name)).cloned()
    }
}

/// Weights by their names in latent diffusion.
#[derive(Debug)]
pub(super) struct NamedWeights<'a> {
    pub(super) weights: &'a mut Weights,
    pub(super) naming: Naming,
}

impl NamedWeights<'_> {
    /// Reads a tensor like [`Weights::take`]. `shape` is its shape in latent diffusion.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, BackendError> {
        let taken = self.weights.take(&self.naming.in_file(name), &self.naming.shape_in_file(name, shape))?;
        // Reshaping a placeholder, which stands for a tensor while names are collected, would allocate all of it.
        if taken.dims() == shape { Ok(taken) } else { taken.reshape(shape).context("loading an autoencoder") }
    }

    /// [`Weights::computed`].
    pub(super) fn computed(
        &self,
        compute: impl FnOnce() -> candle_core::Result<Tensor>,
    ) -> Result<Tensor, BackendError> {
        self.weights.computed(|| compute().context("loading an autoencoder"))
    }

    /// Device of the weights.
    pub(super) fn device(&self) -> &Device {
        self.weights.device()
    }

    /// How the operations of the autoencoder are computed.
    pub(super) fn path(&self) -> ComputePath {
        self.weights.path()
    }
}

fn rename_attention(parts: &mut [String]) {
    if let Some(part) = parts.first_mut() {
        *part = match part.as_str() {
            "norm" => "group_norm",
            "q" => "to_q",
            "k" => "to_k",
            "v" => "to_v",
            "proj_out" => "to_out.0",
            other => other,
        }
        .to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_diffusers() {
        let naming = Naming::Diffusers { levels: 4 };
        for (name, expected) in [
            ("decoder.conv_in.weight", "decoder.conv_in.weight"),
            ("decoder.norm_out.bias", "decoder.conv_norm_out.bias"),
            ("decoder.mid.block_2.conv1.weight", "decoder.mid_block.resnets.1.conv1.weight"),
            ("decoder.mid.attn_1.norm.weight", "decoder.mid_block.attentions.0.group_norm.weight"),
            ("decoder.mid.attn_1.proj_out.bias", "decoder.mid_block.attentions.0.to_out.0.bias"),
            ("decoder.up.3.block.2.norm2.bias", "decoder.up_blocks.0.resnets.2.norm2.bias"),
            ("decoder.up.0.block.0.nin_shortcut.weight", "decoder.up_blocks.3.resnets.0.conv_shortcut.weight"),
            ("decoder.up.1.upsample.conv.bias", "decoder.up_blocks.2.upsamplers.0.conv.bias"),
            ("encoder.down.2.downsample.conv.bias", "encoder.down_blocks.2.downsamplers.0.conv.bias"),
            ("encoder.down.3.attn.1.q.weight", "encoder.down_blocks.3.attentions.1.to_q.weight"),
            ("encoder.down.3.attn.1", "encoder.down_blocks.3.attentions.1"),
            // Parts that neither layout has keep their names, and are then missing.
            ("decoder.mid.attn_1.other.weight", "decoder.mid_block.attentions.0.other.weight"),
            ("encoder.down.0.other.weight", "encoder.down_blocks.0.other.weight"),
        ] {
            assert_eq!(naming.in_file(name), expected);
            assert_eq!(Naming::LatentDiffusion.in_file(name), name);
        }
    }
}
