//! Draws token values: the denoising chains of many rows at once.

use candle_core::Tensor;
use gtr_core::{Denoise, NoiseSource, Row};
use rayon::prelude::*;

use super::{DiffusionHead, Process};
use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;
use crate::rows::TILE;

/// The conditioning vectors of the rows to draw.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// `[rows, condition]`.
    pub conditional: Tensor,
    /// The same with the condition left out: then rows are guided.
    pub unconditional: Option<Tensor>,
}

/// Draws the value of each row of `request`.
///
/// All rows end together: one that walks fewer timesteps than others joins them later. So a step costs as many
/// evaluations one after another as its longest row has. A row gets the same bits as it would without the others.
///
/// # Shapes
/// `conditions`: one row a row of `request`; returns: `[rows, channels]`.
///
/// # Errors
/// [`BackendError::Request`] if conditions and rows do not fit each other, or a failure of the device.
///
/// # Source
/// LTH14/mar: `p_sample_loop` of `gaussian_diffusion.py`, `forward_with_cfg` of `diffloss.py`.
#[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
pub fn sample(head: &DiffusionHead, conditions: &Conditions, request: &Denoise<'_>) -> Result<Tensor, BackendError> {
    let (count, channels) = (request.rows.len(), head.size().channels);
    check(conditions, request)?;
    let processes: Vec<Process> = request.timesteps.iter().map(Process::new).collect();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(processes[request.rows[row].group].evaluations()));

    // Chains are independent, so threads share them; dealt out, each thread gets long ones and short ones.
    let halves = if conditions.unconditional.is_some() { 2 } else { 1 };
    let threads = if head.device().is_cpu() { rayon::current_num_threads() } else { 1 };
    let threads = threads.min((count * halves).div_ceil(TILE)).max(1);
    let dealt: Vec<Vec<usize>> =
        (0..threads).map(|share| order.iter().copied().skip(share).step_by(threads).collect()).collect();
    let settings =
        Settings { guidance: request.guidance as f32, temperature: request.temperature as f32, noise: request.noise };
    let chain = |&row: &usize| Chain { row, address: request.rows[row], process: &processes[request.rows[row].group] };
    let drawn = dealt
        .par_iter()
        .map(|rows| Walk::new(head, conditions, settings, rows.iter().map(chain).collect())?.run())
        .collect::<Result<Vec<_>, BackendError>>()?;

    let mut values = vec![0.0; count * channels];
    for (rows, drawn) in dealt.iter().zip(drawn) {
        for (&row, value) in rows.iter().zip(drawn.chunks_exact(channels)) {
            values[row * channels..][..channels].copy_from_slice(value);
        }
    }
    Tensor::from_vec(values, (count, channels), head.device()).context("moving token values to the device")
}

fn check(conditions: &Conditions, request: &Denoise<'_>) -> Result<(), BackendError> {
    let count = request.rows.len();
    let vectors = [Some(&conditions.conditional), conditions.unconditional.as_ref()];
    if let Some(found) = vectors.into_iter().flatten().find(|vectors| vectors.dims().first() != Some(&count)) {
        let found = found.dims();
        return Err(BackendError::Request(format!("{count} rows cannot be drawn from conditions of shape {found:?}")));
    }
    match request.rows.iter().find(|row| row.group >= request.timesteps.len()) {
        Some(Row { group, .. }) => Err(BackendError::Request(format!("there are no timesteps of group {group}"))),
        None if count == 0 => Err(BackendError::Request("there is no row to draw".into())),
        None => Ok(()),
    }
}

#[derive(Clone, Copy)]
struct Settings<'a> {
    guidance: f32,
    temperature: f32,
    noise: &'a dyn NoiseSource,
}

/// The chain of one row.
struct Chain<'a> {
    row: usize,
    /// Where its noise is found.
    address: Row,
    process: &'a Process,
}

/// Walks chains, those with more evaluations first in the list.
struct Walk<'a> {
    head: &'a DiffusionHead,
    settings: Settings<'a>,
    chains: Vec<Chain<'a>>,
    /// Embedded conditions, `[rows, width]`.
    conditional: Tensor,
    unconditional: Option<Tensor>,
    /// The values so far, `[rows, channels]`.
    x: Vec<f32>,
}

impl<'a> Walk<'a> {
    fn new(
        head: &'a DiffusionHead,
        conditions: &Conditions,
        settings: Settings<'a>,
        chains: Vec<Chain<'a>>,
    ) -> Result<Self, BackendError> {
        let rows: Vec<u32> = chains.iter().filter_map(|chain| u32::try_from(chain.row).ok()).collect();
        let embed = |vectors: &Tensor| {
            let rows = Tensor::new(rows.as_slice(), head.device());
            let chosen = rows.and_then(|rows| vectors.index_select(&rows, 0)).context("choosing conditions")?;
            head.embed_conditions(&chosen)
        };
        let conditional = embed(&conditions.conditional)?;
        let unconditional = conditions.unconditional.as_ref().map(embed).transpose()?;
        let channels = head.size().channels;
        let mut x = vec![0.0; chains.len() * channels];
        for (chain, x) in chains.iter().zip(x.chunks_exact_mut(channels)) {
            settings.noise.fill_normal(chain.address.image, chain.address.token, 0, x);
        }
        Ok(Self { head, settings, chains, conditional, unconditional, x })
    }

    fn run(mut self) -> Result<Vec<f32>, BackendError> {
        let longest = self.chains.first().map_or(0, |chain| chain.process.evaluations());
        let mut joined: Option<(usize, Tensor)> = None;
        for left in (1..=longest).rev() {
            let active = self.chains.partition_point(|chain| chain.process.evaluations() >= left);
            let conditions = match joined {
                Some((count, conditions)) if count == active => conditions,
                _ => self.conditions(active)?,
            };
            self.evaluate(left, active, &conditions)?;
            joined = Some((active, conditions));
        }
        Ok(self.x)
    }

    /// Embedded conditions of the first rows: both halves, one after the other.
    fn conditions(&self, active: usize) -> Result<Tensor, BackendError> {
        let halves = std::iter::once(&self.conditional).chain(&self.unconditional);
        let parts: candle_core::Result<Vec<_>> = halves.map(|half| half.narrow(0, 0, active)).collect();
        parts.and_then(|parts| concatenate(&parts)).context("choosing conditions")
    }

    /// One evaluation of the first `active` rows, `left` before their ends (the last has 1 left).
    fn evaluate(&mut self, left: usize, active: usize, conditions: &Tensor) -> Result<(), BackendError> {
        let channels = self.head.size().channels;
        let chains = &self.chains[..active];
        let steps: Vec<_> =
            chains.iter().map(|chain| chain.process.coefficients(chain.process.evaluations() - left)).collect();
        let out = self.predict(&steps.iter().map(|step| step.timestep).collect::<Vec<_>>(), conditions)?;
        let Settings { guidance, temperature, noise: source } = self.settings;
        let (mut predicted, mut noise) = (vec![0.0; channels], vec![0.0; channels]);
        for (index, (chain, step)) in chains.iter().zip(steps).enumerate() {
            let (conditional, v) = out[index * 2 * channels..][..2 * channels].split_at(channels);
            predicted.copy_from_slice(conditional);
            if self.unconditional.is_some() {
                let unconditional = &out[(active + index) * 2 * channels..][..channels];
                for (value, without) in predicted.iter_mut().zip(unconditional) {
                    *value = without + guidance * (*value - without);
                }
            }
            // Draw k is added after evaluation k, and none after the last.
            if left > 1 {
                let draw = u32::try_from(chain.process.evaluations() - left + 1).unwrap_or(u32::MAX);
                source.fill_normal(chain.address.image, chain.address.token, draw, &mut noise);
            }
            let x = &mut self.x[index * channels..][..channels];
            step.step(x, &predicted, v, &noise, temperature);
        }
        Ok(())
    }

    /// What the network says of the first rows, both halves one after the other: `[halves * rows, 2 * channels]`.
    fn predict(&self, timesteps: &[u32], conditions: &Tensor) -> Result<Vec<f32>, BackendError> {
        let (active, channels) = (timesteps.len(), self.head.size().channels);
        let x = Tensor::from_slice(&self.x[..active * channels], (active, channels), self.head.device());
        let x = self.head.embed_tokens(&x.context("moving noisy tokens to the device")?)?;
        let timesteps = self.head.embed_timesteps(timesteps)?;
        // Both halves see the same tokens at the same timesteps.
        let twice = |half: Tensor| match self.unconditional {
            Some(_) => Tensor::cat(&[&half, &half], 0).context("joining the halves"),
            None => Ok(half),
        };
        let out = self.head.predict(&twice(x)?, &twice(timesteps)?, conditions)?;
        out.flatten_all().and_then(|out| out.to_vec1()).context("reading what the diffusion head predicts")
    }
}
