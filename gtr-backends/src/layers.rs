//! The pieces of a vision transformer.
//!
//! A sequence batch is one matrix, `[batch * length, width]`: all sequences of a batch have the same length.

use candle_core::{DType, Device, Tensor};

use crate::BackendError;
use crate::checkpoint::Weights;
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
    pub(crate) fn load(weights: &mut Weights, name: &str, inputs: usize, outputs: usize) -> Result<Self, BackendError> {
        Self::load_shaped(weights, name, &[outputs, inputs])
    }

    /// A product whose weights are stored in more than two dimensions: outputs first, inputs after them.
    pub(crate) fn load_shaped(weights: &mut Weights, name: &str, shape: &[usize]) -> Result<Self, BackendError> {
        let weight = weights.take_linear(&format!("{name}.weight"), shape)?;
        Ok(Self { weight, bias: weights.take(&format!("{name}.bias"), &shape[..1])? })
    }

    /// A product without a bias; `name` is that of its weights.
    pub(crate) fn load_plain(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, BackendError> {
        let weight = weights.take_linear(name, &[outputs, inputs])?;
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
    pub(crate) fn load(weights: &mut Weights, name: &str, width: usize) -> Result<Self, BackendError> {
        let mut take = |part: &str| weights.take(&format!("{name}.{part}"), &[width]);
        Ok(Self { scale: take("weight")?, shift: take("bias")? })
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
    tail: Tail,
    heads: usize,
}

/// What follows attention in a block: its projection and an MLP, each added to its input.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    projection: Linear,
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Tail {
    pub(crate) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        let BlockSize { width, hidden, .. } = size;
        Ok(Self {
            projection: Linear::load(weights, &format!("{name}.attn.proj"), width, width)?,
            norm: LayerNorm::load(weights, &format!("{name}.norm2"), width)?,
            fc1: Linear::load(weights, &format!("{name}.mlp.fc1"), width, hidden)?,
            fc2: Linear::load(weights, &format!("{name}.mlp.fc2"), hidden, width)?,
        })
    }

    /// `mixed` is what attention gives, `residual` what it is added to.
    pub(crate) fn forward(&self, mixed: &Tensor, residual: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.projection.finished(mixed, Finish::Add(residual))?;
        let hidden = self.fc1.finished(&self.norm.forward(&x)?, Finish::Gelu)?;
        self.fc2.finished(&hidden, Finish::Add(&x))
    }
}

impl Block {
    pub(crate) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        let BlockSize { width, heads, .. } = size;
        // Queries are kept apart from keys and values, since the last block asks at some positions only.
        let (query, key_value) =
            weights.take_linear_parts(&format!("{name}.attn.qkv.weight"), &[3 * width, width], width)?;
        let bias = weights.take(&format!("{name}.attn.qkv.bias"), &[3 * width])?;
        let bias = |start: usize, count: usize| bias.narrow(0, start, count).context("splitting attention weights");
        Ok(Self {
            norm1: LayerNorm::load(weights, &format!("{name}.norm1"), width)?,
            query: Linear { weight: query, bias: bias(0, width)? },
            key_value: Linear { weight: key_value, bias: bias(width, 2 * width)? },
            tail: Tail::load(weights, name, size)?,
            heads,
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
        self.tail.forward(&keys_values.mix(&self.query.forward(&asking)?)?, residual)
    }

    /// The blocks of a stack, whose names begin with `name` and a number.
    pub(crate) fn load_stack(
        weights: &mut Weights,
        name: &str,
        depth: usize,
        size: BlockSize,
    ) -> Result<Vec<Self>, BackendError> {
        (0..depth).map(|block| Self::load(weights, &format!("{name}.{block}"), size)).collect()
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

/// Numbers of rows, to select them by.
pub(crate) fn index(rows: impl Iterator<Item = usize>, device: &Device) -> candle_core::Result<Tensor> {
    let number = |row: usize| {
        u32::try_from(row)
            .map_err(|_| candle_core::Error::Msg(format!("row {row} is above the largest number of a row")))
    };
    let rows = rows.map(number).collect::<candle_core::Result<Vec<u32>>>()?;
    Tensor::new(rows.as_slice(), device)
}

/// Concatenates along the first dimension, without copying a single part.
pub(crate) fn concatenate(parts: &[Tensor]) -> candle_core::Result<Tensor> {
    if let [single] = parts { Ok(single.clone()) } else { Tensor::cat(parts, 0) }
}
