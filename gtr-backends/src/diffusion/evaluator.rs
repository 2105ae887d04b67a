//! Evaluations of the network for the chains of a step, with or without reuse between them.

use candle_core::Tensor;
use gtr_core::HeadReuse;

use super::chain::Chains;
use super::lazy_head::LazyHead;
use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;

/// Evaluates the network for the first rows of the chains.
pub(super) struct Evaluator<'a> {
    chains: &'a Chains<'a>,
    mode: Mode<'a>,
}

enum Mode<'a> {
    /// Every evaluation is complete. `conditions` has the conditions of the first rows, and their number.
    Complete { conditions: Option<(usize, Tensor)> },
    /// Evaluations reuse results of earlier ones.
    Lazy { reuse: HeadReuse, cohorts: Vec<Cohort<'a>> },
}

/// Consecutive chains with the same number of evaluations. They start together, and their evaluations are of the same
/// kind, so that the bits of a row do not depend on rows with other numbers of evaluations.
struct Cohort<'a> {
    first: usize,
    rows: usize,
    evaluations: usize,
    head: LazyHead<'a>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(chains: &'a Chains<'a>) -> Result<Self, BackendError> {
        let mode = match chains.reuse {
            None => Mode::Complete { conditions: None },
            Some(reuse) => Mode::Lazy { reuse, cohorts: cohorts(chains)? },
        };
        Ok(Self { chains, mode })
    }

    /// Evaluates the network for the first rows, with `left` evaluations left: `[halves * rows, 2 * channels]`. `x` has
    /// the noisy tokens, `timesteps` their timesteps, `[rows]` of u32.
    pub(super) fn predict(&mut self, left: usize, x: &Tensor, timesteps: &Tensor) -> Result<Tensor, BackendError> {
        match &mut self.mode {
            Mode::Complete { conditions } => {
                let active = self.chains.active(left);
                let (_, conditions) = match conditions.take() {
                    Some(known) if known.0 == active => conditions.insert(known),
                    _ => conditions.insert((active, self.chains.conditions(active)?)),
                };
                self.chains.predict(x, timesteps, conditions)
            }
            Mode::Lazy { reuse, cohorts } => lazy(*reuse, cohorts, left, x, timesteps),
        }
    }
}

fn cohorts<'a>(chains: &'a Chains<'a>) -> Result<Vec<Cohort<'a>>, BackendError> {
    let mut first = 0;
    let groups = chains.list.chunk_by(|chain, next| chain.evaluations() == next.evaluations());
    let cohort = |group: &[super::chain::Chain<'_>]| {
        let (conditional, unconditional) = chains.halves(first, group.len())?;
        let head = LazyHead::new(chains.head, conditional, unconditional)?;
        let cohort = Cohort { first, rows: group.len(), evaluations: group[0].evaluations(), head };
        first += group.len();
        Ok(cohort)
    };
    groups.map(cohort).collect()
}

fn lazy(
    reuse: HeadReuse,
    cohorts: &mut [Cohort<'_>],
    left: usize,
    x: &Tensor,
    timesteps: &Tensor,
) -> Result<Tensor, BackendError> {
    let (mut conditional, mut unconditional) = (Vec::new(), Vec::new());
    for Cohort { first, rows, evaluations, head } in cohorts.iter_mut().take_while(|it| it.evaluations >= left) {
        let select = |all: &Tensor| all.narrow(0, *first, *rows).context("selecting rows");
        let out = head.predict(reuse.pass(left - 1, *evaluations), &select(x)?, &select(timesteps)?)?;
        let half = |number: usize| out.narrow(0, number * *rows, *rows).context("splitting the halves");
        conditional.push(half(0)?);
        if out.dims()[0] > *rows {
            unconditional.push(half(1)?);
        }
    }
    conditional.append(&mut unconditional);
    concatenate(&conditional).context("joining the halves")
}
