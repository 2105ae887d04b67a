//! The pieces of a vision transformer.
//!
//! A sequence batch is one matrix, `[batch * length, width]`: all sequences of a batch have the same length.

use candle_core::{DType, Tensor};

use crate::BackendError;
use crate::checkpoint::{Layout, Weights};
use crate::error::Context;
use crate::product::{self, Finish};
use crate::rows;

/// `x W^T + b`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// As [`product::linear`] takes it. Its type is the model's precision.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(crate) fn declare(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) {
        layout.add(format!("{name}.weight"), &[outputs, inputs]);
        layout.add(format!("{name}.bias"), &[outputs]);
    }

    pub(crate) fn load(weights: &mut Weights, name: &str) -> Result<Self, BackendError> {
        let weight = weights.take_linear(&format!("{name}.weight"))?;
        Ok(Self { weight, bias: weights.take(&format!("{name}.bias"))? })
    }

    /// A product without a bias; `name` is that of its weights.
    pub(crate) fn load_plain(weights: &mut Weights, name: &str) -> Result<Self, BackendError> {
        let outputs = weights.rows(name);
        let weight = weights.take_linear(name)?;
        let bias = Tensor::zeros(outputs, DType::F32, weights.device()).context("making a bias")?;
        Ok(Self { weight, bias })
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.finished(x, Finish::Nothing)
    }

    /// [`Linear::forward`] and what follows it.
    pub(crate) fn finished(&self, x: &Tensor, finish: Finish<'_>) -> candle_core::Result<Tensor> {
        product::linear(x, &self.weight, &self.bias, finish)
    }
}

/// Normalisation of each row to mean 0 and variance 1, then scale and shift.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    scale: Tensor,
    shift: Tensor,
}

/// What is added to the variance of a row in all normalisations of these models.
pub(crate) const NORM_EPS: f32 = 1e-6;

impl LayerNorm {
    pub(crate) fn declare(layout: &mut Layout, name: &str, width: usize) {
        layout.add(format!("{name}.weight"), &[width]);
        layout.add(format!("{name}.bias"), &[width]);
    }

    pub(crate) fn load(weights: &mut Weights, name: &str) -> Result<Self, BackendError> {
        Ok(Self { scale: weights.take(&format!("{name}.weight"))?, shift: weights.take(&format!("{name}.bias"))? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        rows::layer_norm(x, Some((&self.scale, &self.shift)), None, NORM_EPS)
    }

    /// [`LayerNorm::forward`], then scaled and shifted row by row, as [`rows::layer_norm`] says.
    pub(crate) fn modulated(&self, x: &Tensor, modulation: &Tensor) -> candle_core::Result<Tensor> {
        rows::layer_norm(x, Some((&self.scale, &self.shift)), Some(modulation), NORM_EPS)
    }
}

/// The sizes of a transformer block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSize {
    pub width: usize,
    pub heads: usize,
    /// Width inside the MLP.
    pub hidden: usize,
}

/// A pre-norm transformer block: attention, then an MLP, each added to its input.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    norm1: LayerNorm,
    query: Linear,
    key_value: Linear,
    projection: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
}

impl Block {
    pub(crate) fn declare(layout: &mut Layout, name: &str, size: BlockSize) {
        let width = size.width;
        LayerNorm::declare(layout, &format!("{name}.norm1"), width);
        Linear::declare(layout, &format!("{name}.attn.qkv"), width, 3 * width);
        Linear::declare(layout, &format!("{name}.attn.proj"), width, width);
        LayerNorm::declare(layout, &format!("{name}.norm2"), width);
        Linear::declare(layout, &format!("{name}.mlp.fc1"), width, size.hidden);
        Linear::declare(layout, &format!("{name}.mlp.fc2"), size.hidden, width);
    }

    pub(crate) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        // Queries are kept apart from keys and values, since the last block asks at some positions only.
        let (query, key_value) = weights.take_linear_parts(&format!("{name}.attn.qkv.weight"), size.width)?;
        let bias = weights.take(&format!("{name}.attn.qkv.bias"))?;
        let bias = |start: usize, count: usize| bias.narrow(0, start, count).context("splitting attention weights");
        Ok(Self {
            norm1: LayerNorm::load(weights, &format!("{name}.norm1"))?,
            query: Linear { weight: query, bias: bias(0, size.width)? },
            key_value: Linear { weight: key_value, bias: bias(size.width, 2 * size.width)? },
            projection: Linear::load(weights, &format!("{name}.attn.proj"))?,
            norm2: LayerNorm::load(weights, &format!("{name}.norm2"))?,
            fc1: Linear::load(weights, &format!("{name}.mlp.fc1"))?,
            fc2: Linear::load(weights, &format!("{name}.mlp.fc2"))?,
            heads: size.heads,
        })
    }

    /// `x` is `[batch * length, width]`. With `queries`, numbers of rows, as many in each sequence, only the output of
    /// those rows is computed.
    pub(crate) fn forward(&self, x: &Tensor, batch: usize, queries: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let keys_values = KeysValues::new(self.key_value.forward(&normed)?, batch, self.heads);
        let (asking, residual) = match queries {
            Some(rows) => (normed.index_select(rows, 0)?, &x.index_select(rows, 0)?),
            None => (normed, x),
        };
        let mixed = keys_values.mix(&self.query.forward(&asking)?)?;
        let x = self.projection.finished(&mixed, Finish::Add(residual))?;
        let hidden = self.fc1.finished(&self.norm2.forward(&x)?, Finish::Gelu)?;
        self.fc2.finished(&hidden, Finish::Add(&x))
    }
}

/// What attention looks at.
#[derive(Clone, Debug)]
pub(crate) struct KeysValues {
    batch: usize,
    heads: usize,
    /// `[batch * n, 2 * width]`: keys, then values.
    rows: Tensor,
}

impl KeysValues {
    /// From rows `[batch * n, 2 * width]` that hold keys, then values.
    pub(crate) fn new(rows: Tensor, batch: usize, heads: usize) -> Self {
        Self { batch, heads, rows }
    }

    /// Several batches as one; all of the same length.
    pub(crate) fn join(parts: &[&Self]) -> candle_core::Result<Self> {
        let [first, rest @ ..] = parts else { candle_core::bail!("there is nothing to attend to") };
        if rest.is_empty() {
            return Ok((*first).clone());
        }
        let rows: Vec<_> = parts.iter().map(|part| &part.rows).collect();
        let batch = parts.iter().map(|part| part.batch).sum();
        Ok(Self { batch, heads: first.heads, rows: Tensor::cat(&rows, 0)? })
    }

    /// The values, mixed as queries `[batch * m, width]` ask.
    pub(crate) fn mix(&self, query: &Tensor) -> candle_core::Result<Tensor> {
        product::attention(query, &self.rows, self.batch, self.heads)
    }
}

/// Concatenates along the first dimension, without copying a single part.
pub(crate) fn concatenate(parts: &[Tensor]) -> candle_core::Result<Tensor> {
    if let [single] = parts { Ok(single.clone()) } else { Tensor::cat(parts, 0) }
}
