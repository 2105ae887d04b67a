//! Layers of vision transformers.
//!
//! A batch of sequences is one matrix `[batch * length, width]`; all sequences of a batch have the same length.

use candle_core::{DType, Device, Tensor};

use crate::BackendError;
use crate::checkpoint::Weights;
use crate::compute::ComputePath;
use crate::error::Context;
use crate::ops::Epilogue;

/// `x W^T + b`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// Weights in the layout of [`ComputePath::linear`], in the precision of the model.
    weight: Tensor,
    bias: Tensor,
    path: ComputePath,
}

impl Linear {
    pub(crate) fn load(weights: &mut Weights, name: &str, inputs: usize, outputs: usize) -> Result<Self, BackendError> {
        Self::load_shaped(weights, name, &[outputs, inputs])
    }

    /// Loads weights with more than two dimensions, outputs first.
    pub(crate) fn load_shaped(weights: &mut Weights, name: &str, shape: &[usize]) -> Result<Self, BackendError> {
        let weight = weights.take_linear(&format!("{name}.weight"), shape)?;
        Ok(Self { weight, bias: weights.take(&format!("{name}.bias"), &shape[..1])?, path: weights.path() })
    }

    /// Loads a layer without a bias; `name` is the full name of its weights.
    pub(crate) fn load_plain(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, BackendError> {
        let weight = weights.take_linear(name, &[outputs, inputs])?;
        let bias = Tensor::zeros(outputs, DType::F32, weights.device()).context("creating a bias")?;
        Ok(Self { weight, bias, path: weights.path() })
    }

    /// Type of rows that the layer takes without conversion.
    pub(crate) fn input_dtype(&self) -> DType {
        self.path.rows_dtype(self.weight.dtype())
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.finished(x, Epilogue::Nothing)
    }

    /// [`Linear::forward`] with a fused operation.
    pub(crate) fn finished(&self, x: &Tensor, finish: Epilogue<'_>) -> candle_core::Result<Tensor> {
        self.path.linear(x, &self.weight, &self.bias, finish, DType::F32)
    }

    /// [`Linear::finished`], for rows that only `next` takes: in its type.
    pub(crate) fn finished_for(&self, x: &Tensor, finish: Epilogue<'_>, next: &Self) -> candle_core::Result<Tensor> {
        self.path.linear(x, &self.weight, &self.bias, finish, next.input_dtype())
    }
}

/// Normalisation of each row to mean 0 and variance 1, then scale and shift.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    /// Scale and shift, `[2, width]`.
    affine: Tensor,
    path: ComputePath,
}

/// Epsilon added to the variance of a row in all normalisations of these models.
pub(crate) const NORM_EPS: f32 = 1e-6;

impl LayerNorm {
    pub(crate) fn load(weights: &mut Weights, name: &str, width: usize) -> Result<Self, BackendError> {
        let mut take = |part: &str| weights.take(&format!("{name}.{part}"), &[width]);
        let (scale, shift) = (take("weight")?, take("bias")?);
        let affine = Tensor::stack(&[&scale, &shift], 0).context("loading a normalisation")?;
        Ok(Self { affine, path: weights.path() })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.path.layer_norm(x, Some(&self.affine), None, NORM_EPS, DType::F32)
    }

    /// [`LayerNorm::forward`], for rows that only `next` takes: in its type.
    pub(crate) fn forward_for(&self, x: &Tensor, next: &Linear) -> candle_core::Result<Tensor> {
        self.path.layer_norm(x, Some(&self.affine), None, NORM_EPS, next.input_dtype())
    }

    /// [`LayerNorm::forward`], then the modulation of each row (see [`ComputePath::layer_norm`]).
    pub(crate) fn modulated(&self, x: &Tensor, modulation: &Tensor) -> candle_core::Result<Tensor> {
        self.path.layer_norm(x, Some(&self.affine), Some(modulation), NORM_EPS, DType::F32)
    }
}

/// Sizes of a transformer block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockSize {
    pub width: usize,
    pub heads: usize,
    /// Width inside the MLP.
    pub hidden: usize,
}

/// A pre-norm transformer block: attention, then an MLP, each with a residual connection.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    norm1: LayerNorm,
    query: Linear,
    key_value: Linear,
    tail: Tail,
    heads: usize,
}

/// Second part of a block, after attention: projection and MLP, each with a residual connection.
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

    /// Computes attention of `queries` over `keys_values`, for [`Tail::forward`].
    pub(crate) fn mix(&self, keys_values: &KeysValues, queries: &Tensor) -> candle_core::Result<Tensor> {
        let KeysValues { batch, heads, rows } = keys_values;
        let path = self.projection.path;
        path.attention(queries, rows, *batch, *heads, self.projection.input_dtype())
    }

    /// `mixed` is the output of attention, `residual` the input of the residual connection.
    pub(crate) fn forward(&self, mixed: &Tensor, residual: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.projection.finished(mixed, Epilogue::Add(residual))?;
        let normed = self.norm.forward_for(&x, &self.fc1)?;
        let hidden = self.fc1.finished_for(&normed, Epilogue::Gelu, &self.fc2)?;
        self.fc2.finished(&hidden, Epilogue::Add(&x))
    }
}

/// Rows as attention sees them.
#[derive(Debug)]
pub(crate) struct Looked {
    /// Normalised rows, `[rows, width]`, in the type that products take.
    normed: Tensor,
    /// Their keys, then values: `[rows, 2 * width]`.
    pub(crate) keys_values: Tensor,
}

impl Block {
    pub(crate) fn load(weights: &mut Weights, name: &str, size: BlockSize) -> Result<Self, BackendError> {
        let BlockSize { width, heads, .. } = size;
        // Queries are separate from keys and values, because the last block computes queries at some positions only.
        let (query, key_value) =
            weights.take_linear_parts(&format!("{name}.attn.qkv.weight"), &[3 * width, width], width)?;
        let bias = weights.take(&format!("{name}.attn.qkv.bias"), &[3 * width])?;
        let bias = |start: usize, count: usize| bias.narrow(0, start, count).context("splitting attention weights");
        Ok(Self {
            norm1: LayerNorm::load(weights, &format!("{name}.norm1"), width)?,
            query: Linear { weight: query, bias: bias(0, width)?, path: weights.path() },
            key_value: Linear { weight: key_value, bias: bias(width, 2 * width)?, path: weights.path() },
            tail: Tail::load(weights, name, size)?,
            heads,
        })
    }

    /// `x` is `[batch * length, width]`. `queries` restricts the output to these row numbers, the same number in each
    /// sequence.
    pub(crate) fn forward(&self, x: &Tensor, batch: usize, queries: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let looked = self.look(x)?;
        self.answer(x, &looked, looked.keys_values.clone(), batch, queries)
    }

    /// Computes what others attend to of rows `x` `[rows, width]`: the first part of [`Block::forward`].
    pub(crate) fn look(&self, x: &Tensor) -> candle_core::Result<Looked> {
        let normed = self.norm1.forward_for(x, &self.key_value)?;
        Ok(Looked { keys_values: self.key_value.forward(&normed)?, normed })
    }

    /// Computes attention of rows `x` over `keys_values` `[batch * n, 2 * width]`, and the MLP: the second part of
    /// [`Block::forward`]. `looked` is that of `x`.
    pub(crate) fn answer(
        &self,
        x: &Tensor,
        looked: &Looked,
        keys_values: Tensor,
        batch: usize,
        queries: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let keys_values = KeysValues::new(keys_values, batch, self.heads);
        let (asking, residual) = match queries {
            Some(rows) => (&looked.normed.index_select(rows, 0)?, &x.index_select(rows, 0)?),
            None => (&looked.normed, x),
        };
        self.tail.forward(&self.tail.mix(&keys_values, &self.query.forward(asking)?)?, residual)
    }

    /// Number of heads of attention.
    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    /// Loads a stack of blocks named `name.0`, `name.1` and so on.
    pub(crate) fn load_stack(
        weights: &mut Weights,
        name: &str,
        depth: usize,
        size: BlockSize,
    ) -> Result<Vec<Self>, BackendError> {
        (0..depth).map(|block| Self::load(weights, &format!("{name}.{block}"), size)).collect()
    }
}

/// Keys and values of attention.
#[derive(Clone, Debug)]
pub(crate) struct KeysValues {
    batch: usize,
    heads: usize,
    /// `[batch * n, 2 * width]`: keys, then values.
    rows: Tensor,
}

impl KeysValues {
    /// Creates keys and values from rows `[batch * n, 2 * width]`: keys, then values.
    pub(crate) fn new(rows: Tensor, batch: usize, heads: usize) -> Self {
        Self { batch, heads, rows }
    }

    /// Concatenates batches of the same length.
    pub(crate) fn join(parts: &[&Self]) -> candle_core::Result<Self> {
        let [first, rest @ ..] = parts else { candle_core::bail!("no keys and values to join") };
        if rest.is_empty() {
            return Ok((*first).clone());
        }
        let rows: Vec<_> = parts.iter().map(|part| &part.rows).collect();
        let batch = parts.iter().map(|part| part.batch).sum();
        Ok(Self { batch, heads: first.heads, rows: Tensor::cat(&rows, 0)? })
    }
}

/// Creates an index tensor from row numbers.
pub(crate) fn index(rows: impl Iterator<Item = usize>, device: &Device) -> candle_core::Result<Tensor> {
    let number = |row: usize| {
        u32::try_from(row).map_err(|_| candle_core::Error::Msg(format!("row number {row} does not fit into 32 bits")))
    };
    let rows = rows.map(number).collect::<candle_core::Result<Vec<u32>>>()?;
    Tensor::new(rows.as_slice(), device)
}

/// Concatenates along the first dimension. A single part is not copied.
pub(crate) fn concatenate(parts: &[Tensor]) -> candle_core::Result<Tensor> {
    if let [single] = parts { Ok(single.clone()) } else { Tensor::cat(parts, 0) }
}
