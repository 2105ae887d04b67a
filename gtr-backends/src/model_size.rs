//! Sizes of transformer models, and their bounds.

use gtr_core::Grid;
use gtr_core::cost::StackSpec;

use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::error::StackSize;
use crate::layers::BlockSize;

/// Size of a stack of transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Width of the token embeddings.
    pub width: usize,
    /// Number of attention heads; divides the width.
    pub heads: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Hidden width of the MLPs.
    pub hidden: usize,
}

impl Stack {
    pub(crate) fn block(self) -> BlockSize {
        BlockSize { width: self.width, heads: self.heads, hidden: self.hidden }
    }

    /// Converts to the type of the cost model.
    pub(crate) fn spec(self) -> StackSpec {
        StackSpec { width: self.width, depth: self.depth, hidden: self.hidden }
    }

    /// Checks the sizes of a stack from a configuration file, whose fields have the prefix `name`.
    pub(crate) fn checked(name: &str, width: usize, heads: usize, depth: usize, ratio: f64) -> Result<Self, String> {
        let width = within(&format!("{name}_embed_dim"), width, 8192)?;
        let heads = within(&format!("{name}_num_heads"), heads, 256)?;
        let depth = within(&format!("{name}_depth"), depth, 128)?;
        if width % heads != 0 {
            return Err(format!("`{name}_embed_dim` {width} is not a multiple of the {heads} heads"));
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 8192 * 16; truncated as in the reference"
        )]
        let hidden = if ratio > 0.0 && ratio <= 16.0 { (width as f64 * ratio) as usize } else { 0 };
        if hidden == 0 {
            return Err(format!("`mlp_ratio` must be above 0 and at most 16, not {ratio}"));
        }
        Ok(Self { width, heads, depth, hidden })
    }
}

/// Patch of latent values of a token, from a configuration file.
pub(crate) struct Patch {
    /// Side of the patch in latent values.
    pub(crate) side: usize,
    /// Number of channels of the latent image.
    pub(crate) latent_channels: usize,
}

impl Patch {
    /// Checks the fields `patch_size` and `vae_embed_dim`, and `token_embed_dim`, which must match them.
    pub(crate) fn checked(
        patch_size: usize,
        vae_embed_dim: usize,
        token_embed_dim: Option<usize>,
    ) -> Result<Self, String> {
        let side = within("patch_size", patch_size, 64)?;
        let latent_channels = within("vae_embed_dim", vae_embed_dim, 256)?;
        let token_channels = within("token channels", latent_channels * side * side, 4096)?;
        fixed("token_embed_dim", token_embed_dim.as_ref(), &token_channels)?;
        Ok(Self { side, latent_channels })
    }
}

/// Checks the fields `diffloss_d` and `diffloss_w`, depth and width of the diffusion head.
pub(crate) fn head(diffloss_d: usize, diffloss_w: usize) -> Result<(usize, usize), String> {
    Ok((within("diffloss_d", diffloss_d, 128)?, within("diffloss_w", diffloss_w, 8192)?))
}

/// Checks the field `cfg`, the guidance scale.
pub(crate) fn guidance(cfg: Option<f64>) -> Result<Option<f64>, String> {
    match cfg {
        Some(scale) if !scale.is_finite() => Err("`cfg` must be a finite number".into()),
        _ => Ok(cfg),
    }
}

/// Checks that a field is 1 to `most`.
pub(crate) fn within(name: &str, value: usize, most: usize) -> Result<usize, String> {
    if (1..=most).contains(&value) { Ok(value) } else { Err(format!("`{name}` must be 1 to {most}, not {value}")) }
}

/// Checks that an optional field has the only supported value.
pub(crate) fn fixed<T: PartialEq + std::fmt::Debug>(name: &str, value: Option<&T>, only: &T) -> Result<(), String> {
    match value {
        Some(value) if value != only => Err(format!("`{name}` {value:?} is not supported, only {only:?}")),
        _ => Ok(()),
    }
}

/// Sizes found in a checkpoint, for a model that is selected by name.
pub(crate) struct Found<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) model: &'a str,
}

impl Found<'_> {
    /// Checks that the stacks of blocks are those of the model. `sizes` are the stacks of all models of this kind. A
    /// missing tensor is not an error here: loading reports it.
    pub(crate) fn compare(
        &self,
        stacks: &[(&'static str, Stack)],
        sizes: &[(&'static str, Stack)],
    ) -> Result<(), BackendError> {
        for &(name, expected) in stacks {
            let depth = self.checkpoint.blocks(&format!("{name}_blocks"));
            let Some(width) = self.checkpoint.dimension(&format!("{name}_norm.weight"), 0) else { continue };
            if (width, depth) != (expected.width, expected.depth) {
                let same = sizes.iter().find(|(_, stack)| (stack.width, stack.depth) == (width, depth));
                return Err(BackendError::OtherSize {
                    file: self.checkpoint.name().to_owned(),
                    model: self.model.to_owned(),
                    part: name,
                    found: StackSize { blocks: depth, width },
                    expected: StackSize { blocks: expected.depth, width: expected.width },
                    name: same.map(|(name, _)| *name),
                });
            }
        }
        Ok(())
    }

    /// Returns the square grid with this number of tokens.
    pub(crate) fn square(&self, tokens: usize) -> Result<Grid, BackendError> {
        let grid = u32::try_from(tokens.isqrt()).ok().and_then(|side| Grid::new(side, side).ok());
        grid.filter(|grid| grid.tokens() == tokens).ok_or_else(|| BackendError::Config {
            model: self.model.to_owned(),
            reason: format!("{} has {tokens} positions, expected a square number", self.checkpoint.name()),
        })
    }

    /// Reads width and depth of the diffusion head, if it is in the checkpoint.
    pub(crate) fn head(&self, width: &mut usize, depth: &mut usize) {
        if let Some(found) = self.checkpoint.dimension("diffloss.net.input_proj.weight", 0) {
            (*width, *depth) = (found, self.checkpoint.blocks("diffloss.net.res_blocks"));
        }
    }

    /// Reads the side of a patch from the number of channels of a token.
    pub(crate) fn patch(&self, latent_channels: usize, patch: &mut usize) {
        let Some(channels) = self.checkpoint.dimension("z_proj.weight", 1) else { return };
        let side = (channels / latent_channels).isqrt();
        if side > 0 && side * side * latent_channels == channels {
            *patch = side;
        }
    }
}
