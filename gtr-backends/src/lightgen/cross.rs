//! A transformer block with cross-attention to a text.

use candle_core::Tensor;

use crate::BackendError;
use crate::checkpoint::Weights;
use crate::layers::{BlockSize, KeysValues, LayerNorm, Linear, Tail};

/// Cross-attention to a text, then an MLP. Rows do not attend to each other.
#[derive(Debug)]
pub(super) struct CrossBlock {
    norm_query: LayerNorm,
    norm_text: LayerNorm,
    query: Linear,
    key_value: Linear,
    tail: Tail,
    heads: usize,
}

impl CrossBlock {
    pub(super) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        let width = size.width;
        Ok(Self {
            norm_query: LayerNorm::load(weights, &format!("{name}.normq"), width)?,
            norm_text: LayerNorm::load(weights, &format!("{name}.normkv"), width)?,
            query: Linear::load(weights, &format!("{name}.attn.query_linear"), width, width)?,
            key_value: Linear::load(weights, &format!("{name}.attn.kv"), width, 2 * width)?,
            tail: Tail::load(weights, name, size)?,
            heads: size.heads,
        })
    }

    /// Computes keys and values of a text `[length, width]`. They are the same at every step.
    pub(super) fn look_at(&self, text: &Tensor) -> candle_core::Result<KeysValues> {
        Ok(KeysValues::new(self.key_value.forward(&self.norm_text.forward(text)?)?, 1, self.heads))
    }

    /// `x`: `[images * m, width]`.
    pub(super) fn forward(&self, x: &Tensor, texts: &KeysValues) -> candle_core::Result<Tensor> {
        // The residual is the normalised rows, not `x`.
        let query = self.norm_query.forward(x)?;
        self.tail.forward(&self.tail.mix(texts, &self.query.forward(&query)?)?, &query)
    }
}
