//! Denoising chains on the device path. All inputs are moved to the device before the first evaluation, and nothing is
//! read back before the last one. With [`Compute::with_graphs`](crate::Compute::with_graphs), the evaluations of the same
//! rows repeat one recording.

use candle_core::{Device, Tensor};

use super::chain::Chains;
use super::evaluator::Evaluator;
use super::repeat::Repeated;
use crate::BackendError;
use crate::error::Context;
use crate::ops::{FusedStep, STEP_COLUMNS};

/// Inputs of all evaluations, on the device.
pub(super) struct Resident<'a> {
    chains: &'a Chains<'a>,
    /// Timesteps, indexed by the number of evaluations left: `[evaluations, rows]`.
    timesteps: Tensor,
    /// Columns and new noise of each reverse step (see [`FusedStep`]), `[evaluations, rows, 8 + channels]`.
    steps: Tensor,
    /// Initial noise, then zeros: `[2, rows, channels]`.
    start: Tensor,
}

/// Inputs of all evaluations, before they are moved.
struct Inputs {
    timesteps: Vec<u32>,
    steps: Vec<f32>,
    start: Vec<f32>,
}

impl<'a> Resident<'a> {
    pub(super) fn new(chains: &'a Chains<'a>) -> Result<Self, BackendError> {
        let (longest, rows, channels) = (chains.longest(), chains.list.len(), chains.channels());
        let Inputs { timesteps, steps, start } = inputs(chains);
        let moved = |device: &Device| -> candle_core::Result<_> {
            Ok((
                Tensor::from_vec(timesteps, (longest, rows), device)?,
                Tensor::from_vec(steps, (longest, rows, STEP_COLUMNS + channels), device)?,
                Tensor::from_vec(start, (2, rows, channels), device)?,
            ))
        };
        let (timesteps, steps, start) = moved(chains.head.device()).context("moving noise to the device")?;
        Ok(Self { chains, timesteps, steps, start })
    }

    /// Runs the chains and returns their final values, `[rows, channels]`.
    pub(super) fn run(&self) -> Result<Tensor, BackendError> {
        let state = if self.chains.head.compute().uses_graphs() && self.chains.reuse.is_none() {
            self.run_repeated()?
        } else {
            self.run_directly()?
        };
        state.get(0).context("reading the values of a chain")
    }

    fn run_directly(&self) -> Result<Tensor, BackendError> {
        let mut evaluator = Evaluator::new(self.chains)?;
        let mut state = self.start.clone();
        for left in (1..=self.chains.longest()).rev() {
            let (timesteps, steps) = self.inputs(left)?;
            state = self.evaluate(left, &state, &timesteps, &steps, &mut evaluator)?;
        }
        Ok(state)
    }

    /// Runs the chains on fixed memory. Evaluations of the same rows are the same work.
    fn run_repeated(&self) -> Result<Tensor, BackendError> {
        let (mut evaluator, fixed) = (Evaluator::new(self.chains)?, Fixed::new(self)?);
        let mut left = self.chains.longest();
        while left > 0 {
            let active = self.chains.active(left);
            let next = (1..left).rev().find(|&later| self.chains.active(later) != active).unwrap_or(0);
            self.repeat((left, next), &fixed, &mut evaluator)?;
            left = next;
        }
        Ok(fixed.state)
    }

    /// Runs evaluations of the same rows: from `first` evaluations left, until there are `end`.
    fn repeat(
        &self,
        (first, end): (usize, usize),
        fixed: &Fixed,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<(), BackendError> {
        let mut evaluation = Repeated::new(self.chains.head.device(), || {
            let new = self.evaluate(first, &fixed.state, &fixed.timesteps, &fixed.steps, evaluator)?;
            fixed.state.slice_set(&new, 0, 0).context("copying the state of a chain")
        });
        for left in (end + 1..=first).rev() {
            let (timesteps, steps) = self.inputs(left)?;
            fixed.set(&timesteps, &steps).context("copying the inputs of an evaluation")?;
            evaluation.run(left - end - 1)?;
        }
        Ok(())
    }

    /// Returns the timesteps and the steps of all rows, with `left` evaluations left.
    fn inputs(&self, left: usize) -> Result<(Tensor, Tensor), BackendError> {
        let inputs = || Ok((self.timesteps.get(left - 1)?, self.steps.get(left - 1)?));
        inputs().context("selecting the inputs of an evaluation")
    }

    /// Evaluates the network for the rows that take part, with `left` evaluations left, and takes their reverse steps.
    /// Returns the new state: values and predicted clean values of all rows.
    fn evaluate(
        &self,
        left: usize,
        state: &Tensor,
        timesteps: &Tensor,
        steps: &Tensor,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<Tensor, BackendError> {
        let active = self.chains.active(left);
        let inputs = || Ok((state.get(0)?.narrow(0, 0, active)?, timesteps.narrow(0, 0, active)?));
        let (x, timesteps) = inputs().context("selecting rows")?;
        let predicted = evaluator.predict(left, &x, &timesteps)?;
        let Chains { guidance, temperature, .. } = *self.chains;
        let step = FusedStep { active, guidance: self.chains.is_guided().then_some(guidance), temperature };
        step.take(&predicted, state, steps).context("taking a reverse step")
    }
}

/// Memory of an evaluation that is repeated.
struct Fixed {
    /// As [`Resident::start`].
    state: Tensor,
    /// `[rows]`.
    timesteps: Tensor,
    /// `[rows, 8 + channels]`.
    steps: Tensor,
}

impl Fixed {
    /// Allocates the memory. Its state is the initial one.
    fn new(resident: &Resident<'_>) -> Result<Self, BackendError> {
        let (timesteps, steps) = resident.inputs(1)?;
        let all = || Ok((resident.start.copy()?, timesteps.zeros_like()?, steps.zeros_like()?));
        let (state, timesteps, steps) = all().context("allocating the memory of an evaluation")?;
        Ok(Self { state, timesteps, steps })
    }

    /// Copies the inputs of an evaluation.
    fn set(&self, timesteps: &Tensor, steps: &Tensor) -> candle_core::Result<()> {
        self.timesteps.slice_set(timesteps, 0, 0)?;
        self.steps.slice_set(steps, 0, 0)
    }
}

/// Collects the inputs of all evaluations. Noise is drawn only where a step adds it.
fn inputs(chains: &Chains<'_>) -> Inputs {
    let (longest, rows, channels) = (chains.longest(), chains.list.len(), chains.channels());
    let width = STEP_COLUMNS + channels;
    let mut inputs = Inputs {
        timesteps: vec![0; longest * rows],
        steps: vec![0.0; longest * rows * width],
        start: vec![0.0; 2 * rows * channels],
    };
    for (row, chain) in chains.list.iter().enumerate() {
        chain.start(chains.noise, &mut inputs.start[row * channels..][..channels]);
        for left in 1..=chain.evaluations() {
            let (step, place) = (chain.step(left), (left - 1) * rows + row);
            inputs.timesteps[place] = step.timestep();
            let (columns, noise) = inputs.steps[place * width..][..width].split_at_mut(STEP_COLUMNS);
            columns.copy_from_slice(&step.columns());
            if step.adds_noise() {
                chain.noise(chains.noise, left, noise);
            }
        }
    }
    inputs
}
