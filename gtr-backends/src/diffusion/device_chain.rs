//! Denoising chains on a device with its own memory. All inputs are moved there before the first evaluation, and
//! nothing is read back before the last one.

use candle_core::{D, Device, Tensor};

use super::chain::Chains;
use super::process::{COLUMNS, step_rows};
use crate::BackendError;
use crate::error::Context;

/// Inputs of all evaluations, on the device.
pub(super) struct Resident<'a> {
    chains: &'a Chains<'a>,
    /// Timesteps, indexed by the number of evaluations left: `[evaluations, rows]`.
    timesteps: Tensor,
    /// `[evaluations, rows, 6]`.
    coefficients: Tensor,
    /// Noise added after each evaluation but the last, `[evaluations, rows, channels]`; `None` if there is only one
    /// evaluation.
    noise: Option<Tensor>,
    /// Initial noise, `[rows, channels]`.
    start: Tensor,
}

impl<'a> Resident<'a> {
    pub(super) fn new(chains: &'a Chains<'a>) -> Result<Self, BackendError> {
        let (longest, rows, channels) = (chains.longest(), chains.list.len(), chains.channels());
        let mut timesteps = vec![0; longest * rows];
        let mut coefficients = vec![0.0; longest * rows * COLUMNS];
        let mut noise = vec![0.0; longest.saturating_sub(1) * rows * channels];
        let mut start = vec![0.0; rows * channels];
        for (row, chain) in chains.list.iter().enumerate() {
            chain.start(chains.noise, &mut start[row * channels..][..channels]);
            for left in 1..=chain.evaluations() {
                let step = chain.coefficients(left);
                let place = (left - 1) * rows + row;
                timesteps[place] = step.timestep;
                coefficients[place * COLUMNS..][..COLUMNS].copy_from_slice(&step.columns());
                if left > 1 {
                    let place = (left - 2) * rows + row;
                    chain.noise(chains.noise, left, &mut noise[place * channels..][..channels]);
                }
            }
        }
        let moved = |device: &Device| -> candle_core::Result<_> {
            Ok((
                Tensor::from_vec(timesteps, (longest, rows), device)?,
                Tensor::from_vec(coefficients, (longest, rows, COLUMNS), device)?,
                (longest > 1).then(|| Tensor::from_vec(noise, (longest - 1, rows, channels), device)).transpose()?,
                Tensor::from_vec(start, (rows, channels), device)?,
            ))
        };
        let (timesteps, coefficients, noise, start) =
            moved(chains.head.device()).context("moving noise to the device")?;
        Ok(Self { chains, timesteps, coefficients, noise, start })
    }

    /// Runs the chains and returns their final values, `[rows, channels]`.
    pub(super) fn run(&self) -> Result<Tensor, BackendError> {
        let (mut x, mut joined) = (None, 0);
        for left in (1..=self.chains.longest()).rev() {
            let active = self.chains.active(left);
            let moved = self.join(x, joined, active).context("joining rows")?;
            x = Some(self.evaluate(left, active, &moved)?);
            joined = active;
        }
        x.ok_or_else(|| BackendError::Request("expected at least one row".into()))
    }

    /// Adds the rows that start now.
    fn join(&self, x: Option<Tensor>, joined: usize, active: usize) -> candle_core::Result<Tensor> {
        match x {
            Some(x) if joined == active => Ok(x),
            Some(x) => Tensor::cat(&[&x, &self.start.narrow(0, joined, active - joined)?], 0),
            None => self.start.narrow(0, 0, active),
        }
    }

    /// Evaluates the network for the first `active` rows, with `left` evaluations left, and takes the reverse step.
    fn evaluate(&self, left: usize, active: usize, x: &Tensor) -> Result<Tensor, BackendError> {
        let index = self.timesteps.get(left - 1).and_then(|index| index.narrow(0, 0, active));
        let timesteps = self.chains.head.timesteps_at(&index.context("selecting timesteps")?)?;
        let out = self.chains.predict(x, timesteps, &self.chains.conditions(active)?)?;
        self.step(left, active, x, &out).context("taking a reverse step")
    }

    fn step(&self, left: usize, active: usize, x: &Tensor, out: &Tensor) -> candle_core::Result<Tensor> {
        let channels = self.chains.channels();
        let half = |tensor: &Tensor, number: usize| tensor.narrow(0, number * active, active);
        let mut predicted = half(&out.narrow(D::Minus1, 0, channels)?, 0)?;
        let v = half(&out.narrow(D::Minus1, channels, channels)?, 0)?;
        if self.chains.is_guided() {
            let without = half(&out.narrow(D::Minus1, 0, channels)?, 1)?;
            predicted = (&without + ((predicted - &without)? * f64::from(self.chains.guidance))?)?;
        }
        let coefficients = self.coefficients.get(left - 1)?.narrow(0, 0, active)?;
        let noise = self.noise.as_ref().filter(|_| left > 1);
        let noise = noise.map(|noise| noise.get(left - 2)?.narrow(0, 0, active)).transpose()?;
        step_rows(&coefficients, x, &predicted, &v, noise.as_ref(), self.chains.temperature)
    }
}
