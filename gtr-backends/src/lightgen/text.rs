//! Text: from the text encoder's output to what the image attends to.

use candle_core::Tensor;

use super::config::LightGenConfig;
use crate::BackendError;
use crate::checkpoint::Weights;
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
