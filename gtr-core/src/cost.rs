//! What a plan costs on a model, in operations.
//!
//! Counted is the arithmetic of the published code, from the plan itself: in each AR step the encoder sees the known tokens,
//! the decoder all of them, and the diffusion head is evaluated once for each token and diffusion step. A multiplication and
//! an addition are two operations; with guidance, everything is computed twice. Norms, activations, softmax and image decoder
//! are left out. An implementation may compute less for the same result: a benchmark counts what it executes.
//!
//! # Source
//! The architectures of MAR (arXiv 2406.11838, LTH14/mar) and LightGen (arXiv 2503.08619). For MAR-B, L and H at 64 steps the
//! count is within 1.2 % of the figures of GtR (arXiv 2510.17171, table 1), whose exact method is not published.
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

/// The sizes of a model that decide what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArchSpec {
    /// Channels of a token.
    pub token_channels: usize,
    /// Tokens in front of the sequence, which are always known.
    pub buffer: usize,
    /// The encoder, over the known tokens.
    pub encoder: StackSpec,
    /// The decoder, over all tokens.
    pub decoder: StackSpec,
    /// What a model of texts has more.
    pub text: Option<TextSpec>,
    /// The diffusion head.
    pub head: HeadSpec,
}

/// A stack of transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StackSpec {
    /// Width of a token.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Width inside the MLPs.
    pub hidden: usize,
}

/// The parts that make images follow a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TextSpec {
    /// Tokens of a text.
    pub length: usize,
    /// Width of the text encoder's vectors.
    pub channels: usize,
    /// The blocks over the text, evaluated once an image.
    pub aligner: StackSpec,
    /// The decoder whose tokens look at the text.
    pub decoder: StackSpec,
}

/// A diffusion head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HeadSpec {
    /// Width of the network.
    pub width: usize,
    /// Residual blocks.
    pub depth: usize,
}

/// Operations of one image, by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// The encoder's products with weights.
    pub encoder: f64,
    /// The same of the decoder, or of both decoders.
    pub decoder: f64,
    /// The products of queries, keys and values, in all stacks.
    pub attention: f64,
    /// What depends on the text alone.
    pub text: f64,
    /// The diffusion head.
    pub head: f64,
}

impl Cost {
    /// All parts.
    pub fn total(&self) -> f64 {
        self.encoder + self.decoder + self.attention + self.text + self.head
    }
}

/// Length of the sinusoidal embedding of a timestep.
const FREQUENCIES: f64 = 256.0;

/// A size or a count.
#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
pub fn float(number: usize) -> f64 {
    number as f64
}

/// The operations of a product with a matrix of weights, for each of `rows`.
pub fn product(rows: f64, inputs: usize, outputs: usize) -> f64 {
    2.0 * rows * float(inputs) * float(outputs)
}

impl StackSpec {
    /// All products with weights of `rows` tokens: queries, keys, values, projection, and the two of the MLP.
    pub fn products(&self, rows: f64) -> f64 {
        let block = product(rows, self.width, 4 * self.width) + 2.0 * product(rows, self.width, self.hidden);
        float(self.depth) * block
    }

    /// The products of `rows` queries with `over` keys, and with as many values.
    pub fn attention(&self, rows: f64, over: f64) -> f64 {
        float(self.depth) * 4.0 * rows * over * float(self.width)
    }
}

impl HeadSpec {
    /// One evaluation of one token.
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
    /// What one image costs; `guided`: with both halves of classifier-free guidance.
    pub fn cost(&self, plan: &Plan, guided: bool) -> Cost {
        let (tokens, mut cost, mut known) = (plan.grid().tokens(), Cost::default(), plan.known().len());
        for step in plan.steps() {
            self.pass(tokens, known, &mut cost);
            known += step.tokens();
        }
        // What a token's evaluation depends on: the last stack's vectors.
        let condition = self.text.map_or(self.decoder.width, |text| text.decoder.width);
        cost.head = float(plan.summary().token_evaluations) * self.head.evaluation(self.token_channels, condition);
        let halves = if guided { 2.0 } else { 1.0 };
        for part in [&mut cost.encoder, &mut cost.decoder, &mut cost.attention, &mut cost.head] {
            *part *= halves;
        }
        cost.text = self.text.map_or(0.0, |text| text.once());
        cost
    }

    /// Adds one pass of the stacks.
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
    /// What a text takes once: projection and aligner.
    pub fn once(&self) -> f64 {
        let (rows, width) = (float(self.length), self.aligner.width);
        let projection = product(rows, self.channels, width) + product(rows, width, width);
        projection + self.aligner.products(rows) + self.aligner.attention(rows, rows)
    }
}
