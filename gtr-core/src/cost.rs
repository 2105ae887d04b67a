//! Cost of a plan on a model, in floating-point operations.
//!
//! The cost is the arithmetic of the published code, computed from the plan. In each AR step the encoder processes the
//! known tokens and the decoder all tokens. The diffusion head is evaluated once per drawn token and diffusion step; in
//! ranked stages, a token is drawn several times. A multiplication and an addition count as two operations.
//! Classifier-free guidance doubles the cost of the steps that it guides, except for the text; reuse between steps
//! reduces it. Norms, activations, softmax and the image decoder are not counted. An implementation may execute fewer
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

use crate::step_reuse::kept;
use crate::{CachedParts, HeadPass, HeadReuse, Plan, Pruning, Step, float};

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

/// Returns the operations of the product of `rows` rows with a weight matrix, `[inputs, outputs]`: a multiplication and an
/// addition per weight and row.
///
/// # Examples
/// ```
/// assert_eq!(gtr_core::cost::product(10.0, 3, 4), 240.0);
/// ```
pub fn product(rows: f64, inputs: usize, outputs: usize) -> f64 {
    2.0 * rows * float(inputs) * float(outputs)
}

impl StackSpec {
    /// Returns the operations of all products with weights for `rows` tokens: queries, keys, values, output projection
    /// and MLP.
    pub fn products(&self, rows: f64) -> f64 {
        let block = product(rows, self.width, 4 * self.width) + 2.0 * product(rows, self.width, self.hidden);
        float(self.depth) * block
    }

    /// Returns the operations of queries, keys, values and output projection for `rows` tokens.
    fn attention_products(&self, rows: f64) -> f64 {
        float(self.depth) * product(rows, self.width, 4 * self.width)
    }

    /// Returns the operations of the MLPs for `rows` tokens.
    fn mlp_products(&self, rows: f64) -> f64 {
        float(self.depth) * 2.0 * product(rows, self.width, self.hidden)
    }

    /// Returns the operations of the products of `rows` queries with `over` keys and values.
    pub fn attention(&self, rows: f64, over: f64) -> f64 {
        float(self.depth) * 4.0 * rows * over * float(self.width)
    }
}

impl HeadSpec {
    /// Blocks that an evaluation which is not complete replaces by their last increments, as LazyMAR's published code
    /// does.
    pub const SKIPPED: std::ops::Range<usize> = 1..5;

    /// Returns the number of blocks that an evaluation computes if it is not complete.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::cost::HeadSpec;
    /// assert_eq!(HeadSpec { width: 1536, depth: 12 }.computed_blocks(), 8);
    /// assert_eq!(HeadSpec { width: 128, depth: 3 }.computed_blocks(), 1);
    /// ```
    pub fn computed_blocks(&self) -> usize {
        (0..self.depth).filter(|block| !Self::SKIPPED.contains(block)).count()
    }

    /// Returns the operations of one evaluation for one token and one half of guidance.
    fn evaluation(&self, channels: usize, condition: usize, pass: HeadPass) -> f64 {
        let width = float(self.width);
        let modulation = product(1.0, self.width, 3 * self.width);
        let mlp = product(1.0, self.width, 2 * self.width);
        let blocks = match pass {
            HeadPass::Complete => float(self.depth) * (modulation + mlp),
            HeadPass::Warm => float(self.computed_blocks()) * (modulation + mlp),
            HeadPass::Cached => float(self.computed_blocks()) * modulation,
        };
        let embeddings = 2.0 * FREQUENCIES * width + product(1.0, self.width, self.width);
        let last = product(1.0, self.width, 2 * self.width) + product(1.0, self.width, 2 * channels);
        let first = product(1.0, channels, self.width) + product(1.0, condition, self.width);
        first + embeddings + blocks + last
    }
}

/// Number of evaluations of the head for one token, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadPasses {
    /// Complete evaluations, which compute both halves of guidance.
    pub complete: usize,
    /// Evaluations of the conditional half with some blocks skipped.
    pub warm: usize,
    /// Evaluations of the conditional half with some blocks skipped and the MLPs of the others reused.
    pub cached: usize,
}

impl HeadPasses {
    /// Counts the evaluations of a token.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::cost::HeadPasses;
    /// assert_eq!(HeadPasses::of(100, None), HeadPasses { complete: 100, warm: 0, cached: 0 });
    /// ```
    pub fn of(evaluations: usize, reuse: Option<HeadReuse>) -> Self {
        let Some(reuse) = reuse else { return Self { complete: evaluations, ..Self::default() } };
        let mut passes = Self::default();
        for index in 0..evaluations {
            match reuse.pass(index, evaluations) {
                HeadPass::Complete => passes.complete += 1,
                HeadPass::Warm => passes.warm += 1,
                HeadPass::Cached => passes.cached += 1,
            }
        }
        passes
    }
}

/// Work of an AR step, which guidance and reuse reduce.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepWork {
    /// Number of tokens that are known before the step.
    pub known: usize,
    /// Number of tokens that the step draws; in ranked stages, it generates only some of them.
    pub tokens: usize,
    /// Number of tokens that the step before generated.
    pub previous: usize,
    /// Whether the step is guided.
    pub guided: bool,
    /// Parts of the transformer that are taken from earlier steps.
    pub cached: Option<CachedParts>,
    /// Whether the next step takes parts of the transformer from this one.
    pub keeps: bool,
    /// Reuse within the head.
    pub head: Option<HeadReuse>,
}

impl StepWork {
    /// Returns the work of each AR step of a plan. `guided` says whether the scale of the run differs from 1.
    pub fn of(plan: &Plan, guided: bool) -> Vec<Self> {
        let guided = |step: &Step| guided && step.axes().guidance.is_none_or(|strength| strength.get() > 0.0);
        let reuse = plan.reuse(plan.steps().iter().map(guided));
        let (mut known, mut previous) = (plan.known().len(), 0);
        let keeps = kept(&reuse);
        let work = plan.steps().iter().zip(&reuse).zip(keeps).map(|((step, reuse), keeps)| {
            let (cached, head) = reuse.map_or((None, None), |reuse| (reuse.cached, reuse.head));
            let (tokens, guided) = (step.candidates(), guided(step));
            let work = Self { known, tokens, previous, guided, cached, keeps, head };
            (known, previous) = (known + step.tokens(), step.tokens());
            work
        });
        work.collect()
    }

    /// Returns the number of halves of guidance that the transformer computes.
    pub fn halves(&self) -> f64 {
        if self.guided && !self.cached.is_some_and(|parts| parts.guidance) { 2.0 } else { 1.0 }
    }

    /// Returns the number of rows of the encoder, with a buffer of `buffer` rows.
    pub fn encoder_rows(&self, buffer: usize) -> usize {
        buffer + if self.cached.is_some_and(|parts| parts.encoder) { self.previous } else { self.known }
    }

    /// Returns the selection of the decoder's tokens and the number that is kept of a sequence of `length`.
    pub fn pruning(&self, length: usize) -> Option<(Pruning, usize)> {
        let pruning = self.cached?.decoder?;
        Some((pruning, pruning.kept(length, self.tokens + self.previous)))
    }
}

impl ArchSpec {
    /// Returns the cost of one image. `guided` says whether the scale of guidance differs from 1; steps that the plan does
    /// not guide count one half also then.
    pub fn cost(&self, plan: &Plan, guided: bool) -> Cost {
        let mut cost = Cost::default();
        for (step, work) in plan.steps().iter().zip(StepWork::of(plan, guided)) {
            self.pass(plan.grid().tokens(), &work, &mut cost);
            for (tokens, evaluations) in plan.token_evaluations(step) {
                cost.head += float(tokens) * self.draw(evaluations, &work);
            }
        }
        cost.text = self.text.map_or(0.0, |text| text.once());
        cost
    }

    /// Returns the operations of the head for one token.
    fn draw(&self, evaluations: usize, work: &StepWork) -> f64 {
        // The head is conditioned on the output of the last stack.
        let condition = self.text.map_or(self.decoder.width, |text| text.decoder.width);
        let one = |pass| self.head.evaluation(self.token_channels, condition, pass);
        let passes = HeadPasses::of(evaluations, work.head);
        let halves = if work.guided { 2.0 } else { 1.0 };
        halves * float(passes.complete) * one(HeadPass::Complete)
            + float(passes.warm) * one(HeadPass::Warm)
            + float(passes.cached) * one(HeadPass::Cached)
    }

    /// Adds the cost of one pass through the stacks. As in the published code, all halves are projected and embedded also
    /// where the blocks compute only the conditional one.
    fn pass(&self, tokens: usize, work: &StepWork, cost: &mut Cost) {
        let (seen, all) = (float(self.buffer + work.known), float(self.buffer + tokens));
        let both = if work.guided { 2.0 } else { 1.0 };
        let (halves, rows) = (work.halves(), float(work.encoder_rows(self.buffer)));
        let (encoder, decoder) = (self.encoder, self.decoder);
        cost.encoder += both * product(float(tokens), self.token_channels, encoder.width);
        cost.encoder += halves * encoder.products(rows);
        cost.attention += halves * encoder.attention(rows, seen);
        cost.decoder += both * product(seen, encoder.width, decoder.width);
        match work.pruning(self.buffer + tokens) {
            None => {
                cost.decoder += halves * decoder.products(all);
                cost.attention += halves * decoder.attention(all, all);
            }
            Some((pruning, kept)) => {
                let kept = float(kept);
                // With a later block than there are, nothing is pruned.
                let before = (pruning.block as usize).min(decoder.depth);
                let block = usize::from(before < decoder.depth);
                let [before, block, after] =
                    [before, block, decoder.depth - before - block].map(|depth| StackSpec { depth, ..decoder });
                cost.decoder += halves * (before.products(all) + after.products(kept));
                cost.decoder += halves * (block.attention_products(all) + block.mlp_products(kept));
                cost.attention += halves * (before.attention(all, all) + block.attention(all, all));
                cost.attention += halves * after.attention(kept, all);
            }
        }
        let Some(text) = self.text else { return };
        let (last, length) = (text.decoder, float(text.length));
        let block = product(all, last.width, 2 * last.width)
            + product(length, last.width, 2 * last.width)
            + 2.0 * product(all, last.width, last.hidden);
        cost.decoder += both * (product(all, decoder.width, last.width) + float(last.depth) * block);
        cost.attention += both * last.attention(all, length);
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
