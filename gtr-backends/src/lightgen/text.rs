//! Text aligner: from the output of the text encoder to the keys and values of cross-attention.

use candle_core::Tensor;

use super::config::LightGenConfig;
use crate::BackendError;
use crate::checkpoint::Weights;
use crate::layers::{Block, KeysValues, LayerNorm, Linear};

/// Features of a text, computed once per prompt. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    pub(super) embedded: Tensor,
    /// One per block of the text decoder.
    pub(super) keys_values: Vec<KeysValues>,
}

impl TextFeatures {
    /// Embedded text.
    ///
    /// # Shapes
    /// `[text length, width]`.
    pub fn embedded(&self) -> &Tensor {
        &self.embedded
    }
}

/// Projection of the output of the text encoder, then transformer blocks. Padding is not masked, as in training.
#[derive(Debug)]
pub(super) struct TextAligner {
    linear_1: Linear,
    linear_2: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

const NAME: &str = "text_emb";

impl TextAligner {
    pub(super) fn load(weights: &mut Weights, config: &LightGenConfig) -> Result<Self, BackendError> {
        let width = config.text.width;
        Ok(Self {
            linear_1: Linear::load(weights, &format!("{NAME}.text_proj.linear_1"), config.caption_channels, width)?,
            linear_2: Linear::load(weights, &format!("{NAME}.text_proj.linear_2"), width, width)?,
            blocks: Block::load_stack(
                weights,
                &format!("{NAME}.text_aligner"),
                config.text.depth,
                config.text.block(),
            )?,
            norm: LayerNorm::load(weights, &format!("{NAME}.text_aligner_norm"), width)?,
        })
    }

    /// `[length, caption channels]` to `[length, width]`.
    pub(super) fn project(&self, text: &Tensor) -> candle_core::Result<Tensor> {
        // This is the only GELU with the tanh approximation.
        self.linear_2.forward(&self.linear_1.forward(text)?.gelu()?)
    }

    pub(super) fn forward(&self, text: &Tensor) -> candle_core::Result<Tensor> {
        let mut x = self.project(text)?;
        for block in &self.blocks {
            x = block.forward(&x, 1, None)?;
        }
        self.norm.forward(&x)
    }
}
