//! Draws token values: the denoising chains of many rows at once.

use candle_core::Tensor;
use gtr_core::{Denoise, NoiseSource, Row};

use super::resident::Resident;
use super::{DiffusionHead, Process};
use crate::BackendError;
use crate::compute::{check_thread, in_pool};
use crate::error::Context;
use crate::layers::concatenate;

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

    let settings =
        Settings { guidance: request.guidance as f32, temperature: request.temperature as f32, noise: request.noise };
    let chain = |&row: &usize| Chain { row, address: request.rows[row], process: &processes[request.rows[row].group] };
    let chains: Vec<_> = order.iter().map(chain).collect();
    if !head.device().is_cpu() {
        check_thread(head.device());
        return resident(head, conditions, settings, &chains);
    }
    let drawn = in_pool(head.device(), || Walk::new(head, conditions, settings, chains)?.run())?;
    let mut values = vec![0.0; count * channels];
    for (row, drawn) in order.into_iter().zip(drawn.chunks_exact(channels)) {
        values[row * channels..][..channels].copy_from_slice(drawn);
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

/// Draws all chains at once, in the memory of the device.
fn resident(
    head: &DiffusionHead,
    conditions: &Conditions,
    settings: Settings<'_>,
    chains: &[Chain<'_>],
) -> Result<Tensor, BackendError> {
    let (conditional, unconditional) = embedded(head, conditions, chains)?;
    let drawn = Resident::new(head, settings, chains, &conditional, unconditional.as_ref())?.run()?;
    // Back into the order of the rows.
    let mut places = vec![0_u32; chains.len()];
    for (place, chain) in (0..).zip(chains) {
        places[chain.row] = place;
    }
    Tensor::new(places.as_slice(), head.device())
        .and_then(|places| drawn.index_select(&places, 0))
        .context("ordering rows")
}

/// The embedded conditions of chains, in their order: the conditional half, and the other if there is one.
fn embedded(
    head: &DiffusionHead,
    conditions: &Conditions,
    chains: &[Chain<'_>],
) -> Result<(Tensor, Option<Tensor>), BackendError> {
    let rows: Vec<u32> = chains.iter().filter_map(|chain| u32::try_from(chain.row).ok()).collect();
    let embed = |vectors: &Tensor| {
        let rows = Tensor::new(rows.as_slice(), head.device());
        let chosen = rows.and_then(|rows| vectors.index_select(&rows, 0)).context("choosing conditions")?;
        head.embed_conditions(&chosen)
    };
    Ok((embed(&conditions.conditional)?, conditions.unconditional.as_ref().map(embed).transpose()?))
}

#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub(super) guidance: f32,
    pub(super) temperature: f32,
    pub(super) noise: &'a dyn NoiseSource,
}

/// The chain of one row.
pub(super) struct Chain<'a> {
    row: usize,
    /// Where its noise is found.
    pub(super) address: Row,
    pub(super) process: &'a Process,
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
        let (conditional, unconditional) = embedded(head, conditions, &chains)?;
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

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use gtr_core::{DiffusionSteps, ImageIndex, MaskedGenerator, Noise, Seed, Timesteps};

    use super::*;

    /// The path for devices, run on the CPU, where both can be.
    #[test]
    fn both_paths_draw_the_same() {
        let generator = crate::open("digits", None, &Device::Cpu).unwrap();
        let head = generator.model().head();
        let timesteps = [6, 1, 9]
            .map(|steps| Timesteps::new(DiffusionSteps::new(steps).unwrap(), generator.timestep_limit()).unwrap());
        let row = |(number, token)| Row { image: ImageIndex(3), token, group: [0, 2, 1, 0, 0, 2][number % 6] };
        let rows: Vec<Row> = generator.grid().iter().take(21).enumerate().map(row).collect();
        let vectors = |phase: f32| {
            let values = (0..21_u16 * 128).map(|place| (f32::from(place) * 0.7 + phase).sin()).collect();
            Tensor::from_vec(values, (21, 128), &Device::Cpu).unwrap()
        };
        for guided in [false, true] {
            let conditions = Conditions { conditional: vectors(0.0), unconditional: guided.then(|| vectors(1.0)) };
            let noise = Noise::new(Seed(4));
            let request =
                Denoise { timesteps: &timesteps, rows: &rows, guidance: 1.7, temperature: 0.9, noise: &noise };
            let expected = sample(head, &conditions, &request).unwrap();
            let processes: Vec<Process> = timesteps.iter().map(Process::new).collect();
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|&row| std::cmp::Reverse(processes[rows[row].group].evaluations()));
            let chains: Vec<_> = order
                .iter()
                .map(|&row| Chain { row, address: rows[row], process: &processes[rows[row].group] })
                .collect();
            let settings = Settings { guidance: 1.7, temperature: 0.9, noise: &noise };
            let found = resident(head, &conditions, settings, &chains).unwrap();
            let list = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (found, expected) = (list(&found), list(&expected));
            let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-5 * largest, "{found} {expected} of {largest}");
            }
        }
    }
}
