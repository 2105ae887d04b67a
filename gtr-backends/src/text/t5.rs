//! T5 encoder.
//!
//! The encoder of candle-transformers does not mask padding. Here no row attends to padding, but the rows of padding
//! are computed, because LightGen attends to them.

use candle_core::{D, DType, Device, Tensor};
use serde::Deserialize;

use crate::bounded_read::parse_object;
use crate::checkpoint::{Checkpoint, Kind, WeightLayout, Weights};
use crate::error::Context;
use crate::layers::{Linear, index};
use crate::model_size::within;
use crate::ops::rms_norm;
use crate::{BackendError, Compute};

/// Sizes of a T5 encoder.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct T5Config {
    /// Size of the vocabulary.
    pub vocabulary: usize,
    /// Width of a token's vector.
    pub width: usize,
    /// Width of an attention head.
    pub head_width: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width inside the MLPs.
    pub hidden: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Number of buckets of relative positions.
    pub buckets: usize,
    /// Distance from which all positions are in the last bucket.
    pub longest: usize,
    /// Epsilon added to the mean square of a row.
    pub norm_eps: f32,
    /// True for gated MLPs (version 1.1 and Flan), false for plain ones.
    pub gated: bool,
    /// Padding token.
    pub padding: u32,
}

/// `config.json` in the format of Hugging Face; fields of the decoder and of training are ignored.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Raw {
    vocab_size: usize,
    d_model: usize,
    d_kv: usize,
    d_ff: usize,
    num_layers: usize,
    num_heads: usize,
    relative_attention_num_buckets: Option<usize>,
    relative_attention_max_distance: Option<usize>,
    layer_norm_epsilon: Option<f32>,
    feed_forward_proj: Option<String>,
    pad_token_id: Option<u32>,
}

impl T5Config {
    /// Reads and checks a `config.json`. `model` is its name in messages.
    ///
    /// # Errors
    /// [`BackendError::Config`] for a field that is missing or out of range.
    pub fn parse(model: &str, json: &str) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Config { model: model.to_owned(), reason };
        let raw: Raw = parse_object(json).map_err(wrong)?;
        raw.check().map_err(wrong)
    }
}

impl Raw {
    fn check(self) -> Result<T5Config, String> {
        let gated = match self.feed_forward_proj.as_deref() {
            None | Some("relu") => false,
            Some("gated-gelu") => true,
            Some(other) => return Err(format!("`feed_forward_proj`: expected relu or gated-gelu, found `{other}`")),
        };
        let norm_eps = self.layer_norm_epsilon.unwrap_or(1e-6);
        if !(norm_eps.is_finite() && norm_eps > 0.0) {
            return Err(format!("`layer_norm_epsilon`: expected a number above 0, found {norm_eps}"));
        }
        let buckets = self.relative_attention_num_buckets.unwrap_or(32);
        let longest =
            within("relative_attention_max_distance", self.relative_attention_max_distance.unwrap_or(128), 1 << 20)?;
        if !buckets.is_multiple_of(4) || !(4..=1024).contains(&buckets) || longest <= buckets / 4 {
            return Err(format!(
                "`relative_attention_num_buckets` {buckets} and `relative_attention_max_distance` {longest} do not fit"
            ));
        }
        let vocabulary = within("vocab_size", self.vocab_size, 1 << 22)?;
        let padding = self.pad_token_id.unwrap_or(0);
        if padding as usize >= vocabulary {
            return Err(format!("`pad_token_id` {padding} is not one of the {vocabulary} tokens"));
        }
        Ok(T5Config {
            vocabulary,
            width: within("d_model", self.d_model, 1 << 14)?,
            head_width: within("d_kv", self.d_kv, 1 << 12)?,
            heads: within("num_heads", self.num_heads, 256)?,
            hidden: within("d_ff", self.d_ff, 1 << 17)?,
            depth: within("num_layers", self.num_layers, 128)?,
            buckets,
            longest,
            norm_eps,
            gated,
            padding,
        })
    }
}

/// A loaded T5 encoder.
///
/// # Source
/// Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer, arXiv 1910.10683, with the
/// details of `T5EncoderModel` of Hugging Face.
#[derive(Debug)]
pub struct T5Encoder {
    config: T5Config,
    device: Device,
    /// `[vocabulary, width]`, in the model's precision.
    tokens: Tensor,
    /// `[buckets, heads]`.
    distances: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
}

/// Attention, then an MLP, without biases and without scaling of the dot products.
#[derive(Debug)]
struct Block {
    norm1: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm2: Tensor,
    mlp: Mlp,
}

#[derive(Debug)]
enum Mlp {
    Plain { inner: Linear, outer: Linear },
    Gated { gate: Linear, inner: Linear, outer: Linear },
}

/// Names of the token embeddings. Checkpoints of the encoder alone often have only the second.
const TOKENS: [&str; 2] = ["shared.weight", "encoder.embed_tokens.weight"];
const DISTANCES: &str = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";

impl T5Encoder {
    /// Returns the tensors of an encoder of these sizes.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn layout(config: &T5Config) -> Result<WeightLayout, BackendError> {
        WeightLayout::of(|weights| Self::build(config, TOKENS[0], weights))
    }

    /// Loads the encoder. The decoder in a checkpoint of the whole model is ignored.
    ///
    /// # Errors
    /// [`BackendError::OtherKind`] for a checkpoint of another kind; those of [`Weights::load`] and [`Weights::take`];
    /// or a failure of the device.
    pub fn load(config: &T5Config, checkpoint: Checkpoint, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Kind::T5.expect(&checkpoint)?;
        let other = |name: &str| name.starts_with("decoder.") || name == "lm_head.weight" || TOKENS.contains(&name);
        let tokens = TOKENS.into_iter().find(|name| checkpoint.info(name).is_some()).unwrap_or(TOKENS[0]);
        Weights::load_among(checkpoint, other, compute, |weights| Self::build(config, tokens, weights))
    }

    /// `tokens` is the name of the token embeddings.
    fn build(config: &T5Config, tokens: &str, weights: &mut Weights) -> Result<Self, BackendError> {
        let blocks = (0..config.depth).map(|block| Block::load(weights, block, config));
        Ok(Self {
            blocks: blocks.collect::<Result<_, _>>()?,
            tokens: weights.take_matrix(tokens, &[config.vocabulary, config.width])?,
            distances: weights.take(DISTANCES, &[config.buckets, config.heads])?,
            norm: weights.take("encoder.final_layer_norm.weight", &[config.width])?,
            device: weights.device().clone(),
            config: config.clone(),
        })
    }

    /// Configuration of the encoder.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Returns the last hidden state of a text. The tokens from `known` on are padding, to which no token attends.
    ///
    /// # Shapes
    /// returns: `[tokens, width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for a token outside the vocabulary or if `known` is not 1 to the number of tokens; or
    /// a failure of the device.
    pub fn encode(&self, tokens: &[u32], known: usize) -> Result<Tensor, BackendError> {
        if known == 0 || known > tokens.len() {
            let length = tokens.len();
            return Err(BackendError::Request(format!(
                "expected 1 to {length} tokens before the padding, found {known}"
            )));
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.config.vocabulary) {
            let size = self.config.vocabulary;
            return Err(BackendError::Request(format!(
                "token {token} is not in the text encoder's vocabulary of {size}"
            )));
        }
        self.forward(tokens, known).context("encoding a text")
    }

    fn forward(&self, tokens: &[u32], known: usize) -> candle_core::Result<Tensor> {
        let bias = self.bias(tokens.len(), known)?;
        let x = self.tokens.index_select(&Tensor::new(tokens, &self.device)?, 0)?;
        let mut x = x.to_dtype(DType::F32)?; // (tokens, width)
        for block in &self.blocks {
            x = block.forward(&x, &bias, known, &self.config)?;
        }
        rms_norm(&x, &self.norm, self.config.norm_eps)
    }

    /// Returns the relative position bias of the attention scores, `[heads, tokens, known]`.
    fn bias(&self, length: usize, known: usize) -> candle_core::Result<Tensor> {
        let kind = |from: usize, to: usize| bucket(from, to, self.config.buckets, self.config.longest);
        let kinds = (0..length).flat_map(|from| (0..known).map(move |to| kind(from, to)));
        let bias = self.distances.index_select(&index(kinds, &self.device)?, 0)?; // (tokens * known, heads)
        bias.t()?.contiguous()?.reshape((self.config.heads, length, known))
    }
}

/// Returns the bucket of the relative position of two tokens. Small distances have a bucket each, large ones share
/// buckets on a logarithmic scale.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "distances are smaller than 2^24, and the reference computes in f32"
)]
fn bucket(from: usize, to: usize, buckets: usize, longest: usize) -> usize {
    let half = buckets / 2;
    let exact = half / 2;
    let distance = from.abs_diff(to);
    let kind = if distance < exact {
        distance
    } else {
        let share = (distance as f32 / exact as f32).ln() / (longest as f32 / exact as f32).ln();
        (exact + (share * (half - exact) as f32) as usize).min(half - 1)
    };
    if to > from { kind + half } else { kind }
}

impl Block {
    fn load(weights: &mut Weights, block: usize, config: &T5Config) -> Result<Self, BackendError> {
        let name = format!("encoder.block.{block}");
        let (width, hidden, inside) = (config.width, config.hidden, config.heads * config.head_width);
        let mut dense = |part: &str, inputs: usize, outputs: usize| {
            Linear::load_plain(weights, &format!("{name}.layer.{part}.weight"), inputs, outputs)
        };
        let mlp = if config.gated {
            Mlp::Gated {
                gate: dense("1.DenseReluDense.wi_0", width, hidden)?,
                inner: dense("1.DenseReluDense.wi_1", width, hidden)?,
                outer: dense("1.DenseReluDense.wo", hidden, width)?,
            }
        } else {
            Mlp::Plain {
                inner: dense("1.DenseReluDense.wi", width, hidden)?,
                outer: dense("1.DenseReluDense.wo", hidden, width)?,
            }
        };
        Ok(Self {
            mlp,
            query: dense("0.SelfAttention.q", width, inside)?,
            key: dense("0.SelfAttention.k", width, inside)?,
            value: dense("0.SelfAttention.v", width, inside)?,
            output: dense("0.SelfAttention.o", inside, width)?,
            norm1: weights.take(&format!("{name}.layer.0.layer_norm.weight"), &[width])?,
            norm2: weights.take(&format!("{name}.layer.1.layer_norm.weight"), &[width])?,
        })
    }

    fn forward(&self, x: &Tensor, bias: &Tensor, known: usize, config: &T5Config) -> candle_core::Result<Tensor> {
        let (length, heads, width) = (x.dim(0)?, config.heads, config.head_width);
        let normed = rms_norm(x, &self.norm1, config.norm_eps)?;
        let seen = normed.narrow(0, 0, known)?;
        let split = |rows: &Tensor, linear: &Linear| {
            let rows = linear.forward(rows)?;
            rows.reshape((rows.dim(0)?, heads, width))?.transpose(0, 1)?.contiguous() // (heads, tokens, head width)
        };
        let scores = (split(&normed, &self.query)?.matmul(&split(&seen, &self.key)?.t()?)? + bias)?;
        let mixed = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(&split(&seen, &self.value)?)?;
        let mixed = mixed.transpose(0, 1)?.contiguous()?.reshape((length, heads * width))?;
        let x = (x + self.output.forward(&mixed)?)?;
        let normed = rms_norm(&x, &self.norm2, config.norm_eps)?;
        let (hidden, outer) = match &self.mlp {
            Mlp::Plain { inner, outer } => (inner.forward(&normed)?.relu()?, outer),
            Mlp::Gated { gate, inner, outer } => (gate.forward(&normed)?.gelu()?.mul(&inner.forward(&normed)?)?, outer),
        };
        x + outer.forward(&hidden)?
    }
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn small_distances_have_a_bucket_each_and_large_ones_share() {
        let kind = |from, to| bucket(from, to, 32, 128);
        assert_eq!([kind(5, 5), kind(5, 4), kind(5, 6), kind(7, 0), kind(0, 7)], [0, 1, 17, 7, 23]);
        assert_eq!([kind(8, 0), kind(127, 0), kind(1000, 0), kind(0, 1000)], [8, 15, 15, 31]);
    }
}
