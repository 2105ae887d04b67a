//! Text: from the text encoder's output to what the image attends to.

use candle_core::Tensor;

use super::config::LightGenConfig;
use crate::BackendError;
use crate::checkpoint::{Layout, Weights};
use crate::layers::{Block, KeysValues, LayerNorm, Linear};

/// A text as a model looks at it, computed once: cheap to copy.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    pub(super) embedded: Tensor,
    /// One for each block of the decoder that attends to the text.
    pub(super) keys_values: Vec<KeysValues>,
}

impl TextFeatures {
    /// The embedded text.
    ///
    /// # Shapes
    /// `[text length, width]`.
    pub fn embedded(&self) -> &Tensor {
        &self.embedded
    }
}

/// Projection of the text encoder's output, then blocks over the text. No padding is masked: the model was trained so.
#[derive(Debug)]
pub(super) struct TextAligner {
    linear_1: Linear,
    linear_2: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

const NAME: &str = "text_emb";

impl TextAligner {
    pub(super) fn declare(layout: &mut Layout, config: &LightGenConfig) {
        let width = config.text.width;
        Linear::declare(layout, &format!("{NAME}.text_proj.linear_1"), config.caption_channels, width);
        Linear::declare(layout, &format!("{NAME}.text_proj.linear_2"), width, width);
        for block in 0..config.text.depth {
            Block::declare(layout, &format!("{NAME}.text_aligner.{block}"), config.text.block());
        }
        LayerNorm::declare(layout, &format!("{NAME}.text_aligner_norm"), width);
    }

    pub(super) fn load(weights: &mut Weights, config: &LightGenConfig) -> Result<Self, BackendError> {
        let blocks = (0..config.text.depth)
            .map(|block| Block::load(weights, &format!("{NAME}.text_aligner.{block}"), config.text.block()));
        Ok(Self {
            blocks: blocks.collect::<Result<_, _>>()?,
            linear_1: Linear::load(weights, &format!("{NAME}.text_proj.linear_1"))?,
            linear_2: Linear::load(weights, &format!("{NAME}.text_proj.linear_2"))?,
            norm: LayerNorm::load(weights, &format!("{NAME}.text_aligner_norm"))?,
        })
    }

    /// `[length, caption channels]` to `[length, width]`.
    pub(super) fn project(&self, text: &Tensor) -> candle_core::Result<Tensor> {
        // Here, and only here, the approximation by tanh.
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
