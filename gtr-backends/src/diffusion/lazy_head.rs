//! Reuse between the evaluations of the diffusion head within a step.

use candle_core::{D, Tensor};
use gtr_core::HeadPass;
use gtr_core::cost::HeadSpec;

use super::DiffusionHead;
use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;

/// A diffusion head that reuses results of its last complete evaluation, for rows that are evaluated together.
///
/// A complete evaluation keeps the difference of the halves, the increments of the skipped blocks and the MLP outputs
/// of the other blocks. Other evaluations compute the conditional half only: skipped blocks ([`HeadSpec::SKIPPED`]) add their increments, and
/// the other blocks modulate the MLP outputs that they have kept with a new gate.
///
/// # Source
/// LazyMAR (arXiv 2503.12450), as its published code computes it.
#[derive(Debug)]
pub(crate) struct LazyHead<'a> {
    head: &'a DiffusionHead,
    /// Embedded conditions, `[rows, width]`.
    conditional: Tensor,
    /// Conditional half, then unconditional half: `[halves * rows, width]`.
    conditions: Tensor,
    halves: usize,
    kept: Option<Kept>,
}

/// What a complete evaluation of `rows` rows keeps.
#[derive(Debug)]
struct Kept {
    /// Difference of the predicted noise, conditional minus unconditional, `[rows, channels]`; `None` without guidance.
    difference: Option<Tensor>,
    /// Of each block, `[rows, width]`: the increment if it is skipped, otherwise the output of its MLP.
    blocks: Vec<Tensor>,
}

impl<'a> LazyHead<'a> {
    /// Creates the head of rows with these embedded conditions, `[rows, width]` each.
    pub(crate) fn new(
        head: &'a DiffusionHead,
        conditional: Tensor,
        unconditional: Option<Tensor>,
    ) -> Result<Self, BackendError> {
        let halves: Vec<Tensor> = std::iter::once(conditional.clone()).chain(unconditional).collect();
        let conditions = concatenate(&halves).context("joining the halves")?;
        Ok(Self { head, conditional, conditions, halves: halves.len(), kept: None })
    }

    /// Predicts noise and variance, like [`DiffusionHead::predict`]: `[halves * rows, 2 * channels]`, where `x` has the
    /// noisy tokens and `timesteps` their timesteps, `[rows]` of u32. An evaluation without a complete one before it is
    /// complete.
    pub(crate) fn predict(&mut self, pass: HeadPass, x: &Tensor, timesteps: &Tensor) -> Result<Tensor, BackendError> {
        let x = self.head.embed_tokens(x)?;
        let out = match (&mut self.kept, pass) {
            (Some(kept), HeadPass::Warm) => kept.evaluate(self.head, true, x, timesteps, &self.conditional),
            (Some(kept), HeadPass::Cached) => kept.evaluate(self.head, false, x, timesteps, &self.conditional),
            (None, _) | (_, HeadPass::Complete) => self.complete(&x, timesteps),
        };
        out.context("evaluating the diffusion head")
    }

    fn complete(&mut self, x: &Tensor, timesteps: &Tensor) -> candle_core::Result<Tensor> {
        let (rows, halves) = (x.dim(0)?, self.halves);
        // Both halves get the same tokens at the same timesteps.
        let both = |half: &Tensor| concatenate(&vec![half.clone(); halves]);
        let y = self.head.activated(timesteps, &self.conditions)?;
        let mut x = both(x)?;
        let mut blocks = Vec::with_capacity(self.head.blocks().len());
        for (number, block) in self.head.blocks().iter().enumerate() {
            let modulation = block.modulate(&y)?;
            let hidden = block.mlp(&x, &modulation)?;
            let out = self.head.path().gated_sum(&x, &modulation, &hidden)?;
            blocks.push(if HeadSpec::SKIPPED.contains(&number) {
                (out.narrow(0, 0, rows)? - x.narrow(0, 0, rows)?)?
            } else {
                hidden.narrow(0, 0, rows)?
            });
            x = out;
        }
        let out = self.head.finish(&x, &y)?;
        let noise = |half: usize| out.narrow(D::Minus1, 0, out.dim(1)? / 2)?.narrow(0, half * rows, rows);
        let difference = (halves == 2).then(|| noise(0)? - noise(1)?).transpose()?;
        self.kept = Some(Kept { difference, blocks });
        Ok(out)
    }
}

impl Kept {
    /// Evaluates the conditional half. If `warm`, the blocks that are not skipped compute their MLPs and keep them.
    fn evaluate(
        &mut self,
        head: &DiffusionHead,
        warm: bool,
        mut x: Tensor,
        timesteps: &Tensor,
        conditional: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let y = head.activated(timesteps, conditional)?;
        for ((number, block), kept) in head.blocks().iter().enumerate().zip(&mut self.blocks) {
            if HeadSpec::SKIPPED.contains(&number) {
                x = (x + &*kept)?;
                continue;
            }
            let modulation = block.modulate(&y)?;
            if warm {
                *kept = block.mlp(&x, &modulation)?;
            }
            x = head.path().gated_sum(&x, &modulation, kept)?;
        }
        let out = head.finish(&x, &y)?;
        let Some(difference) = &self.difference else { return Ok(out) };
        let channels = difference.dim(1)?;
        // The variance of the unconditional half is that of the conditional half.
        let without = (out.narrow(1, 0, channels)? - difference)?;
        let without = Tensor::cat(&[&without, &out.narrow(1, channels, channels)?], 1)?;
        Tensor::cat(&[&out, &without], 0)
    }
}
