//! Denoising chains of the rows of a step: the parts that are the same on the CPU and on devices.

use candle_core::Tensor;
use gtr_core::{Denoise, HeadReuse, HeadRow, NoiseSource};

use super::DiffusionHead;
use super::reverse::ReverseStep;
use crate::BackendError;
use crate::error::Context;
use crate::layers::{concatenate, index};

/// Conditioning vectors of rows.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// `[rows, condition]`.
    pub conditional: Tensor,
    /// Unconditional vectors of the same shape; `None` without guidance.
    pub unconditional: Option<Tensor>,
}

/// Chain of one row.
pub(super) struct Chain<'a> {
    /// Index of the row in its request.
    pub(super) row: usize,
    /// Address of its noise.
    address: HeadRow,
    /// One per evaluation.
    steps: &'a [ReverseStep],
}

impl Chain<'_> {
    /// Number of evaluations of the network.
    pub(super) fn evaluations(&self) -> usize {
        self.steps.len()
    }

    /// Returns the step after the evaluation with `left` evaluations left (1 for the last).
    pub(super) fn step(&self, left: usize) -> ReverseStep {
        self.steps[self.evaluations() - left]
    }

    /// Draws the initial noise of the chain.
    pub(super) fn start(&self, source: &dyn NoiseSource, out: &mut [f32]) {
        source.fill_normal(self.address.image, self.address.token, 0, out);
    }

    /// Draws the noise that is added after the evaluation with `left` evaluations left. Draw k belongs to evaluation k,
    /// counted from 1.
    pub(super) fn noise(&self, source: &dyn NoiseSource, left: usize, out: &mut [f32]) {
        let draw = u32::try_from(self.evaluations() - left + 1).unwrap_or(u32::MAX);
        source.fill_normal(self.address.image, self.address.token, draw, out);
    }
}

/// Chains of a step, sorted by descending number of evaluations.
///
/// All chains end at the same time; shorter chains start later.
pub(super) struct Chains<'a> {
    pub(super) head: &'a DiffusionHead,
    pub(super) list: Vec<Chain<'a>>,
    pub(super) guidance: f32,
    pub(super) temperature: f32,
    pub(super) noise: &'a dyn NoiseSource,
    /// Reuse between the evaluations of the network.
    pub(super) reuse: Option<HeadReuse>,
    /// Embedded conditions, `[rows, width]`.
    conditional: Tensor,
    unconditional: Option<Tensor>,
}

impl<'a> Chains<'a> {
    /// Creates the chains of the rows of a request; `steps` are those of each group of its rows.
    #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
    pub(super) fn new(
        head: &'a DiffusionHead,
        conditions: &Conditions,
        request: &Denoise<'a>,
        steps: &'a [Vec<ReverseStep>],
    ) -> Result<Self, BackendError> {
        let chain = |(row, &address): (usize, &HeadRow)| Chain { row, address, steps: &steps[address.group] };
        let mut list: Vec<_> = request.rows.iter().enumerate().map(chain).collect();
        list.sort_by_key(|chain| std::cmp::Reverse(chain.evaluations()));
        let rows = index(list.iter().map(|chain| chain.row), head.device()).context("selecting conditions")?;
        let embed =
            |vectors: &Tensor| head.embed_conditions(&vectors.index_select(&rows, 0).context("selecting conditions")?);
        Ok(Self {
            head,
            conditional: embed(&conditions.conditional)?,
            unconditional: conditions.unconditional.as_ref().map(embed).transpose()?,
            list,
            guidance: request.step.guidance as f32,
            temperature: request.step.temperature as f32,
            noise: request.noise,
            reuse: request.step.reuse.and_then(|reuse| reuse.head),
        })
    }

    /// Number of channels of a token.
    pub(super) fn channels(&self) -> usize {
        self.head.size().channels
    }

    /// Returns true if there is an unconditional half.
    pub(super) fn is_guided(&self) -> bool {
        self.unconditional.is_some()
    }

    /// Number of evaluations of the longest chain.
    pub(super) fn longest(&self) -> usize {
        self.list.first().map_or(0, Chain::evaluations)
    }

    /// Number of chains, from the first, that take part in the evaluation with `left` evaluations left.
    pub(super) fn active(&self, left: usize) -> usize {
        self.list.partition_point(|chain| chain.evaluations() >= left)
    }

    /// Embedded conditions of some rows: of the conditional half and of the unconditional half, if there is one.
    pub(super) fn halves(&self, first: usize, rows: usize) -> Result<(Tensor, Option<Tensor>), BackendError> {
        let select = |half: &Tensor| half.narrow(0, first, rows).context("selecting conditions");
        Ok((select(&self.conditional)?, self.unconditional.as_ref().map(select).transpose()?))
    }

    /// Embedded conditions of the first rows: conditional half, then unconditional half.
    pub(super) fn conditions(&self, active: usize) -> Result<Tensor, BackendError> {
        let (conditional, unconditional) = self.halves(0, active)?;
        let parts: Vec<Tensor> = std::iter::once(conditional).chain(unconditional).collect();
        concatenate(&parts).context("joining the halves")
    }

    /// Evaluates the network for the first rows, `[halves * rows, 2 * channels]`. `x` has the noisy tokens, `timesteps`
    /// their timesteps, `[rows]` of u32, and `conditions` is the result of [`Chains::conditions`].
    pub(super) fn predict(&self, x: &Tensor, timesteps: &Tensor, conditions: &Tensor) -> Result<Tensor, BackendError> {
        // Both halves get the same tokens at the same timesteps.
        let twice = |half: Tensor| match self.unconditional {
            Some(_) => Tensor::cat(&[&half, &half], 0),
            None => Ok(half),
        };
        let x = self.head.embed_tokens(x)?;
        let y = self.head.activated(timesteps, conditions);
        y.and_then(|y| self.head.evaluate(&twice(x)?, &y, |_| ())).context("evaluating the diffusion head")
    }
}
