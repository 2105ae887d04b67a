//! The denoising chains of the rows of a step, in the order in which they are walked: what every walk of them shares.

use candle_core::Tensor;
use gtr_core::{Denoise, HeadRow, NoiseSource};

use super::{Coefficients, DiffusionHead, Process};
use crate::BackendError;
use crate::error::Context;
use crate::layers::{concatenate, index};

/// The conditioning vectors of the rows to draw.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// `[rows, condition]`.
    pub conditional: Tensor,
    /// The same with the condition left out: then rows are guided.
    pub unconditional: Option<Tensor>,
}

/// The chain of one row.
pub(super) struct Chain<'a> {
    /// The number of the row in its request.
    pub(super) row: usize,
    /// Where its noise is found.
    address: HeadRow,
    process: &'a Process,
}

impl Chain<'_> {
    /// Evaluations of the network.
    pub(super) fn evaluations(&self) -> usize {
        self.process.evaluations()
    }

    /// What the evaluation needs that is `left` before the end (the last has 1 left).
    pub(super) fn coefficients(&self, left: usize) -> Coefficients {
        self.process.coefficients(self.evaluations() - left)
    }

    /// The noise that the chain starts from.
    pub(super) fn start(&self, source: &dyn NoiseSource, out: &mut [f32]) {
        source.fill_normal(self.address.image, self.address.token, 0, out);
    }

    /// The noise that is added after the evaluation that is `left` before the end. Draw k belongs to evaluation k, counted
    /// from 1; after the last evaluation none is added.
    pub(super) fn noise(&self, source: &dyn NoiseSource, left: usize, out: &mut [f32]) {
        let draw = u32::try_from(self.evaluations() - left + 1).unwrap_or(u32::MAX);
        source.fill_normal(self.address.image, self.address.token, draw, out);
    }
}

/// The chains of a step, those with more evaluations first in the list.
///
/// All of them end together: one with fewer evaluations than others joins them later.
pub(super) struct Chains<'a> {
    pub(super) head: &'a DiffusionHead,
    pub(super) list: Vec<Chain<'a>>,
    pub(super) guidance: f32,
    pub(super) temperature: f32,
    pub(super) noise: &'a dyn NoiseSource,
    /// Embedded conditions, `[rows, width]`.
    conditional: Tensor,
    unconditional: Option<Tensor>,
}

impl<'a> Chains<'a> {
    /// The chains of the rows of a request; `processes` are those of its timesteps.
    #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
    pub(super) fn new(
        head: &'a DiffusionHead,
        conditions: &Conditions,
        request: &Denoise<'a>,
        processes: &'a [Process],
    ) -> Result<Self, BackendError> {
        let chain = |(row, &address): (usize, &HeadRow)| Chain { row, address, process: &processes[address.group] };
        let mut list: Vec<_> = request.rows.iter().enumerate().map(chain).collect();
        list.sort_by_key(|chain| std::cmp::Reverse(chain.evaluations()));
        let rows = index(list.iter().map(|chain| chain.row), head.device()).context("choosing conditions")?;
        let embed =
            |vectors: &Tensor| head.embed_conditions(&vectors.index_select(&rows, 0).context("choosing conditions")?);
        Ok(Self {
            head,
            conditional: embed(&conditions.conditional)?,
            unconditional: conditions.unconditional.as_ref().map(embed).transpose()?,
            list,
            guidance: request.guidance as f32,
            temperature: request.temperature as f32,
            noise: request.noise,
        })
    }

    /// Channels of a token.
    pub(super) fn channels(&self) -> usize {
        self.head.size().channels
    }

    /// Whether there is an unconditional half.
    pub(super) fn is_guided(&self) -> bool {
        self.unconditional.is_some()
    }

    /// Evaluations of the longest chain.
    pub(super) fn longest(&self) -> usize {
        self.list.first().map_or(0, Chain::evaluations)
    }

    /// How many chains, from the first on, take part in the evaluation that is `left` before the end.
    pub(super) fn active(&self, left: usize) -> usize {
        self.list.partition_point(|chain| chain.evaluations() >= left)
    }

    /// Embedded conditions of the first rows: both halves, one after the other.
    pub(super) fn conditions(&self, active: usize) -> Result<Tensor, BackendError> {
        let halves = std::iter::once(&self.conditional).chain(&self.unconditional);
        let parts: candle_core::Result<Vec<_>> = halves.map(|half| half.narrow(0, 0, active)).collect();
        parts.and_then(|parts| concatenate(&parts)).context("choosing conditions")
    }

    /// What the network says of the first rows, both halves one after the other: `[halves * rows, 2 * channels]`. `x` holds
    /// the noisy tokens, `timesteps` their embedded timesteps, `conditions` what [`Chains::conditions`] gives.
    pub(super) fn predict(&self, x: &Tensor, timesteps: Tensor, conditions: &Tensor) -> Result<Tensor, BackendError> {
        // Both halves see the same tokens at the same timesteps.
        let twice = |half: Tensor| match self.unconditional {
            Some(_) => Tensor::cat(&[&half, &half], 0).context("joining the halves"),
            None => Ok(half),
        };
        self.head.predict(&twice(self.head.embed_tokens(x)?)?, &twice(timesteps)?, conditions)
    }
}
