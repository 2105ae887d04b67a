//! The pieces of a vision transformer.
//!
//! A sequence batch is one matrix, `[batch * length, width]`: all sequences of a batch have the same length.

use candle_core::{DType, Tensor};

use crate::BackendError;
use crate::checkpoint::{Layout, Weights};
use crate::error::Context;
use crate::product;
use crate::rows::{self, TILE};

/// `x W^T + b`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// `[in, out]`: the transpose of what checkpoints hold, which the product can read without repacking. Its type is the
    /// model's precision.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(crate) fn declare(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) {
        layout.add(format!("{name}.weight"), &[outputs, inputs]);
        layout.add(format!("{name}.bias"), &[outputs]);
    }

    pub(crate) fn load(weights: &mut Weights, name: &str) -> Result<Self, BackendError> {
        let weight = weights.take_transposed(&format!("{name}.weight"))?;
        Ok(Self { weight, bias: weights.take(&format!("{name}.bias"))? })
    }

    /// A product without a bias; `name` is that of its weights.
    pub(crate) fn load_plain(weights: &mut Weights, name: &str) -> Result<Self, BackendError> {
        let weight = weights.take_transposed(name)?;
        let bias = weight.dim(1).and_then(|outputs| Tensor::zeros(outputs, DType::F32, weights.device()));
        Ok(Self { weight, bias: bias.context("making a bias")? })
    }

    /// `[rows, in]` to `[rows, out]` as one product: for the rows of one image, whose number no batch changes.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        product::linear(x, &self.weight, &self.bias, None)
    }

    /// `[rows, in]` to `[rows, out]` in tiles: for rows of whatever origin. Their number fills whole tiles.
    pub(crate) fn forward_by_tiles(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        product::linear(x, &self.weight, &self.bias, Some(TILE))
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
        rows::layer_norm(x, &self.scale, &self.shift, NORM_EPS)
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
        let (query, key_value) = weights.take_transposed_parts(&format!("{name}.attn.qkv.weight"), size.width)?;
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
        let (asking, residual) = match queries {
            Some(rows) => (normed.index_select(rows, 0)?, x.index_select(rows, 0)?),
            None => (normed.clone(), x.clone()),
        };
        let x = (residual + self.attend(&asking, &normed, batch)?)?;
        let hidden = self.fc1.forward(&self.norm2.forward(&x)?)?.gelu_erf()?;
        x + self.fc2.forward(&hidden)?
    }

    /// Attention of the rows `asking` `[batch * m, width]` over all rows `[batch * n, width]` of their sequence.
    fn attend(&self, asking: &Tensor, all: &Tensor, batch: usize) -> candle_core::Result<Tensor> {
        let over = KeysValues::new(&self.key_value.forward(all)?, batch, self.heads)?;
        self.projection.forward(&over.mix(&self.query.forward(asking)?)?)
    }
}

/// What attention looks at, split into heads.
#[derive(Clone, Debug)]
pub(crate) struct KeysValues {
    batch: usize,
    heads: usize,
    /// `[batch * heads, n, depth]`.
    keys: Tensor,
    values: Tensor,
}

impl KeysValues {
    /// From rows `[batch * n, 2 * width]` that hold keys, then values.
    pub(crate) fn new(rows: &Tensor, batch: usize, heads: usize) -> candle_core::Result<Self> {
        let (n, depth) = (rows.dim(0)? / batch, rows.dim(1)? / 2 / heads);
        let rows = rows.reshape((batch, n, 2, heads, depth))?;
        let rows = rows.permute((2, 0, 3, 1, 4))?.contiguous()?; // (2, batch, heads, n, depth)
        let part = |index: usize| rows.get(index)?.reshape((batch * heads, n, depth));
        Ok(Self { batch, heads, keys: part(0)?, values: part(1)? })
    }

    /// Several batches as one; all of the same length.
    pub(crate) fn join(parts: &[&Self]) -> candle_core::Result<Self> {
        let [first, rest @ ..] = parts else { candle_core::bail!("there is nothing to attend to") };
        if rest.is_empty() {
            return Ok((*first).clone());
        }
        let join = |part: fn(&Self) -> &Tensor| Tensor::cat(&parts.iter().map(|kv| part(kv)).collect::<Vec<_>>(), 0);
        let batch = parts.iter().map(|part| part.batch).sum();
        Ok(Self { batch, heads: first.heads, keys: join(|kv| &kv.keys)?, values: join(|kv| &kv.values)? })
    }

    /// The values, mixed as queries `[batch * m, width]` ask.
    #[expect(clippy::cast_precision_loss, reason = "heads are narrower than 2^24")]
    pub(crate) fn mix(&self, query: &Tensor) -> candle_core::Result<Tensor> {
        let Self { batch, heads, .. } = *self;
        let (m, width) = (query.dim(0)? / batch, query.dim(1)?);
        let depth = width / heads;
        let query = (query * (depth as f64).powf(-0.5))?;
        let query = query.reshape((batch, m, heads, depth))?.transpose(1, 2)?; // (batch, heads, m, depth)
        let query = query.contiguous()?.reshape((batch * heads, m, depth))?;
        let scores = product::pairwise(&query, &self.keys.t()?)?; // (batch * heads, m, n)
        let mixed = product::pairwise(&candle_nn::ops::softmax_last_dim(&scores)?, &self.values)?;
        let mixed = mixed.reshape((batch, heads, m, depth))?.transpose(1, 2)?; // (batch, m, heads, depth)
        mixed.contiguous()?.reshape((batch * m, width))
    }
}

/// Concatenates along the first dimension, without copying a single part.
pub(crate) fn concatenate(parts: &[Tensor]) -> candle_core::Result<Tensor> {
    if let [single] = parts { Ok(single.clone()) } else { Tensor::cat(parts, 0) }
}
