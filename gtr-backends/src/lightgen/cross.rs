//! A block whose rows attend to a text.

use candle_core::Tensor;

use crate::BackendError;
use crate::checkpoint::{Layout, Weights};
use crate::layers::{BlockSize, KeysValues, LayerNorm, Linear};
use crate::product::Finish;

/// Attention to a text, then an MLP. The rows do not see each other.
#[derive(Debug)]
pub(super) struct CrossBlock {
    norm_query: LayerNorm,
    norm_text: LayerNorm,
    query: Linear,
    key_value: Linear,
    projection: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
}

impl CrossBlock {
    pub(super) fn declare(layout: &mut Layout, name: &str, size: BlockSize) {
        let width = size.width;
        LayerNorm::declare(layout, &format!("{name}.normq"), width);
        LayerNorm::declare(layout, &format!("{name}.normkv"), width);
        Linear::declare(layout, &format!("{name}.attn.query_linear"), width, width);
        Linear::declare(layout, &format!("{name}.attn.kv"), width, 2 * width);
        Linear::declare(layout, &format!("{name}.attn.proj"), width, width);
        LayerNorm::declare(layout, &format!("{name}.norm2"), width);
        Linear::declare(layout, &format!("{name}.mlp.fc1"), width, size.hidden);
        Linear::declare(layout, &format!("{name}.mlp.fc2"), size.hidden, width);
    }

    pub(super) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        Ok(Self {
            norm_query: LayerNorm::load(weights, &format!("{name}.normq"))?,
            norm_text: LayerNorm::load(weights, &format!("{name}.normkv"))?,
            query: Linear::load(weights, &format!("{name}.attn.query_linear"))?,
            key_value: Linear::load(weights, &format!("{name}.attn.kv"))?,
            projection: Linear::load(weights, &format!("{name}.attn.proj"))?,
            norm2: LayerNorm::load(weights, &format!("{name}.norm2"))?,
            fc1: Linear::load(weights, &format!("{name}.mlp.fc1"))?,
            fc2: Linear::load(weights, &format!("{name}.mlp.fc2"))?,
            heads: size.heads,
        })
    }

    /// What the block looks at in a text `[length, width]`: the same at every step.
    pub(super) fn look_at(&self, text: &Tensor) -> candle_core::Result<KeysValues> {
        Ok(KeysValues::new(self.key_value.forward(&self.norm_text.forward(text)?)?, 1, self.heads))
    }

    /// `x`: `[images * m, width]`.
    pub(super) fn forward(&self, x: &Tensor, texts: &KeysValues) -> candle_core::Result<Tensor> {
        // The sum starts from the normalised rows, not from `x`.
        let query = self.norm_query.forward(x)?;
        let mixed = texts.mix(&self.query.forward(&query)?)?;
        let x = self.projection.finished(&mixed, Finish::Add(&query))?;
        let hidden = self.fc1.finished(&self.norm2.forward(&x)?, Finish::Gelu)?;
        self.fc2.finished(&hidden, Finish::Add(&x))
    }
}
