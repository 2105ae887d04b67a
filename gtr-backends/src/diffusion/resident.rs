//! The denoising chains of a device that has its own memory: everything that a walk needs is moved there before it begins,
//! and nothing is read back until it has ended.

use candle_core::{D, Device, Tensor};

use super::DiffusionHead;
use super::sampler::{Chain, Settings};
use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;

/// Coefficients of a step, a column each: x0 from x, x0 from noise, mean from x0, mean from x, least and largest
/// log-variance.
const COEFFICIENTS: usize = 6;

/// What does not change during a walk of chains, those with more evaluations first in the list.
pub(super) struct Resident<'a> {
    head: &'a DiffusionHead,
    settings: Settings<'a>,
    /// Evaluations of each chain, falling.
    evaluations: Vec<usize>,
    /// Embedded conditions, `[rows, width]`.
    conditional: &'a Tensor,
    unconditional: Option<&'a Tensor>,
    /// Of each evaluation, counted by how many are left, and each row: `[evaluations, rows]`.
    timesteps: Tensor,
    /// `[evaluations, rows, 6]`.
    coefficients: Tensor,
    /// What is added after each evaluation but the last, `[evaluations, rows, channels]`; `None` if there is only one.
    noise: Option<Tensor>,
    /// What the chains start from, `[rows, channels]`.
    start: Tensor,
}

impl<'a> Resident<'a> {
    pub(super) fn new(
        head: &'a DiffusionHead,
        settings: Settings<'a>,
        chains: &[Chain<'_>],
        conditional: &'a Tensor,
        unconditional: Option<&'a Tensor>,
    ) -> Result<Self, BackendError> {
        let evaluations: Vec<usize> = chains.iter().map(|chain| chain.process.evaluations()).collect();
        let (longest, rows) = (evaluations.first().copied().unwrap_or(0), chains.len());
        let channels = head.size().channels;
        let mut timesteps = vec![0; longest * rows];
        let mut coefficients = vec![0.0; longest * rows * COEFFICIENTS];
        let mut noise = vec![0.0; longest.saturating_sub(1) * rows * channels];
        let mut start = vec![0.0; rows * channels];
        for (row, chain) in chains.iter().enumerate() {
            let draw = |draw: usize, out: &mut [f32]| {
                let draw = u32::try_from(draw).unwrap_or(u32::MAX);
                settings.noise.fill_normal(chain.address.image, chain.address.token, draw, out);
            };
            draw(0, &mut start[row * channels..][..channels]);
            for left in 1..=evaluations[row] {
                let step = chain.process.coefficients(evaluations[row] - left);
                let place = (left - 1) * rows + row;
                timesteps[place] = step.timestep;
                let (least, most) = step.log_variance.unwrap_or_default();
                coefficients[place * COEFFICIENTS..][..COEFFICIENTS].copy_from_slice(&[
                    step.x0_from_x,
                    step.x0_from_noise,
                    step.mean_from_x0,
                    step.mean_from_x,
                    least,
                    most,
                ]);
                // Draw k is added after evaluation k, and none after the last.
                if left > 1 {
                    let place = (left - 2) * rows + row;
                    draw(evaluations[row] - left + 1, &mut noise[place * channels..][..channels]);
                }
            }
        }
        let device = head.device();
        let moved = |device: &Device| -> candle_core::Result<_> {
            Ok((
                Tensor::from_vec(timesteps, (longest, rows), device)?,
                Tensor::from_vec(coefficients, (longest, rows, COEFFICIENTS), device)?,
                (longest > 1).then(|| Tensor::from_vec(noise, (longest - 1, rows, channels), device)).transpose()?,
                Tensor::from_vec(start, (rows, channels), device)?,
            ))
        };
        let (timesteps, coefficients, noise, start) = moved(device).context("moving noise to the device")?;
        Ok(Self { head, settings, evaluations, conditional, unconditional, timesteps, coefficients, noise, start })
    }

    /// The values that the chains end with, `[rows, channels]`.
    pub(super) fn run(&self) -> Result<Tensor, BackendError> {
        let longest = self.evaluations.first().copied().unwrap_or(0);
        let (mut x, mut joined) = (None, 0);
        for left in (1..=longest).rev() {
            let active = self.evaluations.partition_point(|evaluations| *evaluations >= left);
            let moved = self.join(x, joined, active).context("joining rows")?;
            x = Some(self.evaluate(left, active, &moved)?);
            joined = active;
        }
        x.ok_or_else(|| BackendError::Request("there is no row to draw".into()))
    }

    /// Adds the rows that begin now.
    fn join(&self, x: Option<Tensor>, joined: usize, active: usize) -> candle_core::Result<Tensor> {
        match x {
            Some(x) if joined == active => Ok(x),
            Some(x) => Tensor::cat(&[&x, &self.start.narrow(0, joined, active - joined)?], 0),
            None => self.start.narrow(0, 0, active),
        }
    }

    /// One evaluation of the first `active` rows, `left` before their ends, and the step back.
    fn evaluate(&self, left: usize, active: usize, x: &Tensor) -> Result<Tensor, BackendError> {
        let index = self.timesteps.get(left - 1).and_then(|index| index.narrow(0, 0, active));
        let timesteps = self.head.timesteps_at(&index.context("choosing timesteps")?)?;
        let embedded = self.head.embed_tokens(x)?;
        let halves = std::iter::once(self.conditional).chain(self.unconditional);
        let conditions: candle_core::Result<Vec<_>> = halves.map(|half| half.narrow(0, 0, active)).collect();
        let conditions = conditions.and_then(|halves| concatenate(&halves)).context("choosing conditions")?;
        // Both halves see the same tokens at the same timesteps.
        let twice = |half: Tensor| match self.unconditional {
            Some(_) => Tensor::cat(&[&half, &half], 0).context("joining the halves"),
            None => Ok(half),
        };
        let out = self.head.predict(&twice(embedded)?, &twice(timesteps)?, &conditions)?;
        self.step(left, active, x, &out).context("stepping back")
    }

    /// As `Coefficients::step`, of all rows at once.
    fn step(&self, left: usize, active: usize, x: &Tensor, out: &Tensor) -> candle_core::Result<Tensor> {
        let channels = self.head.size().channels;
        let half = |tensor: &Tensor, number: usize| tensor.narrow(0, number * active, active);
        let mut predicted = half(&out.narrow(D::Minus1, 0, channels)?, 0)?;
        let v = half(&out.narrow(D::Minus1, channels, channels)?, 0)?;
        if self.unconditional.is_some() {
            let without = half(&out.narrow(D::Minus1, 0, channels)?, 1)?;
            predicted = (&without + ((predicted - &without)? * f64::from(self.settings.guidance))?)?;
        }
        let coefficients = self.coefficients.get(left - 1)?.narrow(0, 0, active)?;
        let column = |number: usize| coefficients.narrow(1, number, 1); // (rows, 1)
        let x0 = (x.broadcast_mul(&column(0)?)? - predicted.broadcast_mul(&column(1)?)?)?;
        let mean = (x0.broadcast_mul(&column(2)?)? + x.broadcast_mul(&column(3)?)?)?;
        let Some(noise) = self.noise.as_ref().filter(|_| left > 1) else { return Ok(mean) };
        let noise = noise.get(left - 2)?.narrow(0, 0, active)?;
        let share = ((v + 1.0)? / 2.0)?;
        let log_variance = (share.broadcast_mul(&column(5)?)? + (1.0 - &share)?.broadcast_mul(&column(4)?)?)?;
        let deviation = (log_variance * 0.5)?.exp()?;
        mean + ((deviation * noise)? * f64::from(self.settings.temperature))?
    }
}
