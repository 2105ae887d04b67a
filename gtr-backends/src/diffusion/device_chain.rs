//! Denoising chains on a device with its own memory. All inputs are moved there before the first evaluation, and
//! nothing is read back before the last one.

use candle_core::{D, Device, Tensor};

use super::chain::Chains;
use super::evaluator::Evaluator;
use super::reverse::{COLUMNS, Needs, RowSteps};
use crate::BackendError;
use crate::error::Context;

/// Inputs of all evaluations, on the device.
pub(super) struct Resident<'a> {
    chains: &'a Chains<'a>,
    /// Timesteps, indexed by the number of evaluations left: `[evaluations, rows]`.
    timesteps: Tensor,
    /// `[evaluations, rows, 8]`.
    steps: Tensor,
    /// What the steps with each number of evaluations left need, from 1 left.
    needs: Vec<Needs>,
    /// Noise, `[draws, rows, channels]`, in the order of `needs`, without the steps that need none; `None` if no step
    /// does.
    noise: Option<Tensor>,
    /// Initial noise, `[rows, channels]`.
    start: Tensor,
}

/// Inputs of all evaluations, before they are moved.
struct Inputs {
    timesteps: Vec<u32>,
    steps: Vec<f32>,
    noise: Vec<f32>,
    start: Vec<f32>,
}

impl<'a> Resident<'a> {
    pub(super) fn new(chains: &'a Chains<'a>) -> Result<Self, BackendError> {
        let (longest, rows, channels) = (chains.longest(), chains.list.len(), chains.channels());
        let mut needs = vec![Needs::default(); longest];
        for chain in &chains.list {
            (1..=chain.evaluations()).for_each(|left| needs[left - 1].add(&chain.step(left)));
        }
        let draws = needs.iter().filter(|needs| needs.noise).count();
        let Inputs { timesteps, steps, noise, start } = inputs(chains, &needs);
        let moved = |device: &Device| -> candle_core::Result<_> {
            Ok((
                Tensor::from_vec(timesteps, (longest, rows), device)?,
                Tensor::from_vec(steps, (longest, rows, COLUMNS), device)?,
                (draws > 0).then(|| Tensor::from_vec(noise, (draws, rows, channels), device)).transpose()?,
                Tensor::from_vec(start, (rows, channels), device)?,
            ))
        };
        let (timesteps, steps, noise, start) = moved(chains.head.device()).context("moving noise to the device")?;
        Ok(Self { chains, timesteps, steps, needs, noise, start })
    }

    /// Runs the chains and returns their final values, `[rows, channels]`.
    pub(super) fn run(&self) -> Result<Tensor, BackendError> {
        let mut evaluator = Evaluator::new(self.chains)?;
        let mut last: Option<(Tensor, Tensor)> = None;
        for left in (1..=self.chains.longest()).rev() {
            let active = self.chains.active(left);
            let (x, x0) = self.join(last, active).context("joining rows")?;
            last = Some(self.evaluate(left, active, (&x, &x0), &mut evaluator)?);
        }
        last.map(|(x, _)| x).ok_or_else(|| BackendError::Request("expected at least one row".into()))
    }

    /// Adds the rows that start now to the values and the predicted clean values, whose start is not used.
    fn join(&self, last: Option<(Tensor, Tensor)>, active: usize) -> candle_core::Result<(Tensor, Tensor)> {
        let Some((x, x0)) = last else {
            let start = self.start.narrow(0, 0, active)?;
            return Ok((start.clone(), start));
        };
        let joined = x.dim(0)?;
        if joined == active {
            return Ok((x, x0));
        }
        let start = self.start.narrow(0, joined, active - joined)?;
        Ok((Tensor::cat(&[&x, &start], 0)?, Tensor::cat(&[&x0, &start], 0)?))
    }

    /// Evaluates the network for the first `active` rows, with `left` evaluations left, and takes the reverse step:
    /// returns the new values and the predicted clean values.
    fn evaluate(
        &self,
        left: usize,
        active: usize,
        (x, x0): (&Tensor, &Tensor),
        evaluator: &mut Evaluator<'_>,
    ) -> Result<(Tensor, Tensor), BackendError> {
        let index = self.timesteps.get(left - 1).and_then(|index| index.narrow(0, 0, active));
        let timesteps = self.chains.head.timesteps_at(&index.context("selecting timesteps")?)?;
        let out = evaluator.predict(left, x, timesteps)?;
        self.step(left, active, (x, x0), &out).context("taking a reverse step")
    }

    fn step(
        &self,
        left: usize,
        active: usize,
        (x, x0): (&Tensor, &Tensor),
        out: &Tensor,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let channels = self.chains.channels();
        let half = |tensor: &Tensor, number: usize| tensor.narrow(0, number * active, active);
        let mut predicted = half(&out.narrow(D::Minus1, 0, channels)?, 0)?;
        let v = half(&out.narrow(D::Minus1, channels, channels)?, 0)?;
        if self.chains.is_guided() {
            let without = half(&out.narrow(D::Minus1, 0, channels)?, 1)?;
            predicted = (&without + ((predicted - &without)? * f64::from(self.chains.guidance))?)?;
        }
        let columns = self.steps.get(left - 1)?.narrow(0, 0, active)?;
        let (before, needs) = (&self.needs[..left - 1], self.needs[left - 1]);
        let draw = before.iter().filter(|needs| needs.noise).count();
        let noise = self.noise.as_ref().filter(|_| needs.noise);
        let noise = noise.map(|noise| noise.get(draw)?.narrow(0, 0, active)).transpose()?;
        let steps = RowSteps { needs, columns: &columns, temperature: self.chains.temperature };
        steps.take(x, x0, (&predicted, &v), noise.as_ref())
    }
}

/// Collects the inputs of all evaluations. Noise is drawn only where a step adds it.
fn inputs(chains: &Chains<'_>, needs: &[Needs]) -> Inputs {
    let (longest, rows, channels) = (chains.longest(), chains.list.len(), chains.channels());
    let draws = needs.iter().filter(|needs| needs.noise).count();
    let mut inputs = Inputs {
        timesteps: vec![0; longest * rows],
        steps: vec![0.0; longest * rows * COLUMNS],
        noise: vec![0.0; draws * rows * channels],
        start: vec![0.0; rows * channels],
    };
    for (row, chain) in chains.list.iter().enumerate() {
        chain.start(chains.noise, &mut inputs.start[row * channels..][..channels]);
        let mut draw = 0;
        for (left, needs) in (1..=chain.evaluations()).zip(needs) {
            let (step, place) = (chain.step(left), (left - 1) * rows + row);
            inputs.timesteps[place] = step.timestep();
            inputs.steps[place * COLUMNS..][..COLUMNS].copy_from_slice(&step.columns());
            if step.adds_noise() {
                let place = draw * rows + row;
                chain.noise(chains.noise, left, &mut inputs.noise[place * channels..][..channels]);
            }
            draw += usize::from(needs.noise);
        }
    }
    inputs
}
