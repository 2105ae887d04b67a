//! Cost of a plan on a model, in floating-point operations.
//!
//! The cost is the arithmetic of the published code, computed from the plan. In each AR step the encoder processes the
//! known tokens and the decoder all tokens. The diffusion head is evaluated once per token and diffusion step. A
//! multiplication and an addition count as two operations. Classifier-free guidance doubles the cost, except for the
//! text. Norms, activations, softmax and the image decoder are not counted. An implementation may execute fewer
//! operations for the same result; a benchmark counts the operations executed.
//!
//! # Source
//! The architectures of MAR (arXiv 2406.11838, LTH14/mar) and LightGen (arXiv 2503.08619). For MAR-B, MAR-L and MAR-H
//! at 64 steps, the cost is within 1.2 % of the figures of GtR (arXiv 2510.17171, table 1), whose exact method is not
//! published.
//!
//! # Examples
//! ```
//! use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec};
//! use gtr_core::{Grid, Registry, preset};
//!
//! let stack = StackSpec { width: 1280, depth: 20, hidden: 5120 };
//! let head = HeadSpec { width: 1536, depth: 12 };
//! let mar_h = ArchSpec { token_channels: 16, buffer: 64, encoder: stack, decoder: stack, text: None, head };
//! let plan = |name: &str| preset::find(name)?.schedule.plan(Grid::new(16, 16)?, &Registry::builtin());
//! let whole = mar_h.cost(&plan("mar-64")?.plan, true).total();
//! assert!((whole / 64.52e12 - 1.0).abs() < 0.015);
//! assert!(whole / mar_h.cost(&plan("gtr-16")?.plan, true).total() > 4.0);
//! # Ok::<(), gtr_core::Error>(())
//! ```

use serde::Serialize;

use crate::Plan;

/// Dimensions of a model that determine its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArchSpec {
    /// Channels per token.
    pub token_channels: usize,
    /// Number of buffer tokens before the sequence, which are always known.
    pub buffer: usize,
    /// Encoder, which processes the known tokens.
    pub encoder: StackSpec,
    /// Decoder, which processes all tokens.
    pub decoder: StackSpec,
    /// Additional parts of a text-to-image model.
    pub text: Option<TextSpec>,
    /// Diffusion head.
    pub head: HeadSpec,
}

/// Stack of transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StackSpec {
    /// Embedding width.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Hidden width of the MLPs.
    pub hidden: usize,
}

/// Text conditioning of a text-to-image model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TextSpec {
    /// Number of text tokens.
    pub length: usize,
    /// Width of the text encoder's output.
    pub channels: usize,
    /// Blocks applied to the text, evaluated once per image.
    pub aligner: StackSpec,
    /// Decoder with cross-attention to the text.
    pub decoder: StackSpec,
}

/// Diffusion head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HeadSpec {
    /// Width of the network.
    pub width: usize,
    /// Number of residual blocks.
    pub depth: usize,
}

/// Floating-point operations for one image, by part of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Products with weights in the encoder.
    pub encoder: f64,
    /// Products with weights in the decoder, or in both decoders.
    pub decoder: f64,
    /// Products of queries, keys and values in all stacks.
    pub attention: f64,
    /// Operations that depend only on the text, once per image.
    pub text: f64,
    /// Diffusion head.
    pub head: f64,
}

impl Cost {
    /// Returns the sum over all parts.
    pub fn total(&self) -> f64 {
        self.encoder + self.decoder + self.attention + self.text + self.head
    }
}

/// Length of the sinusoidal embedding of a timestep.
const FREQUENCIES: f64 = 256.0;

/// Converts a size or a count to `f64`.
#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
pub(crate) fn float(number: usize) -> f64 {
    number as f64
}

/// Returns the operations of the product of `rows` rows with a weight matrix, `[inputs, outputs]`.
pub(crate) fn product(rows: f64, inputs: usize, outputs: usize) -> f64 {
    2.0 * rows * float(inputs) * float(outputs)
}

impl StackSpec {
    /// Returns the operations of all products with weights for `rows` tokens: queries, keys, values, output projection
    /// and MLP.
    pub fn products(&self, rows: f64) -> f64 {
        let block = product(rows, self.width, 4 * self.width) + 2.0 * product(rows, self.width, self.hidden);
        float(self.depth) * block
    }

    /// Returns the operations of the products of `rows` queries with `over` keys and values.
    pub fn attention(&self, rows: f64, over: f64) -> f64 {
        float(self.depth) * 4.0 * rows * over * float(self.width)
    }
}

impl HeadSpec {
    /// Returns the operations of one evaluation for one token.
    fn evaluation(&self, channels: usize, condition: usize) -> f64 {
        let width = float(self.width);
        let block = product(1.0, self.width, 5 * self.width);
        let embeddings = 2.0 * FREQUENCIES * width + product(1.0, self.width, self.width);
        let last = product(1.0, self.width, 2 * self.width) + product(1.0, self.width, 2 * channels);
        let first = product(1.0, channels, self.width) + product(1.0, condition, self.width);
        first + embeddings + float(self.depth) * block + last
    }
}

impl ArchSpec {
    /// Returns the cost of one image. `guided` counts both halves of classifier-free guidance.
    pub fn cost(&self, plan: &Plan, guided: bool) -> Cost {
        let (tokens, mut cost, mut known) = (plan.grid().tokens(), Cost::default(), plan.known().len());
        for step in plan.steps() {
            self.pass(tokens, known, &mut cost);
            known += step.tokens();
        }
        // The head is conditioned on the output of the last stack.
        let condition = self.text.map_or(self.decoder.width, |text| text.decoder.width);
        cost.head = float(plan.summary().token_evaluations) * self.head.evaluation(self.token_channels, condition);
        let halves = if guided { 2.0 } else { 1.0 };
        for part in [&mut cost.encoder, &mut cost.decoder, &mut cost.attention, &mut cost.head] {
            *part *= halves;
        }
        cost.text = self.text.map_or(0.0, |text| text.once());
        cost
    }

    /// Adds the cost of one pass through the stacks.
    fn pass(&self, tokens: usize, known: usize, cost: &mut Cost) {
        let (seen, all) = (float(self.buffer + known), float(self.buffer + tokens));
        let (encoder, decoder) = (self.encoder, self.decoder);
        cost.encoder += product(float(tokens), self.token_channels, encoder.width) + encoder.products(seen);
        cost.decoder += product(seen, encoder.width, decoder.width) + decoder.products(all);
        cost.attention += encoder.attention(seen, seen) + decoder.attention(all, all);
        let Some(text) = self.text else { return };
        let (last, length) = (text.decoder, float(text.length));
        let block = product(all, last.width, 2 * last.width)
            + product(length, last.width, 2 * last.width)
            + 2.0 * product(all, last.width, last.hidden);
        cost.decoder += product(all, decoder.width, last.width) + float(last.depth) * block;
        cost.attention += last.attention(all, length);
    }
}

impl TextSpec {
    /// Returns the operations of the projection and the aligner, which are evaluated once per image.
    pub fn once(&self) -> f64 {
        let (rows, width) = (float(self.length), self.aligner.width);
        let projection = product(rows, self.channels, width) + product(rows, width, width);
        projection + self.aligner.products(rows) + self.aligner.attention(rows, rows)
    }
}
