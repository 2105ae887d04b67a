//! Sampling of token values: denoising chains of many rows at once.

use candle_core::Tensor;
use gtr_core::{Denoise, HeadRow};

use super::chain::Chains;
use super::device_chain::Resident;
use super::{Conditions, DiffusionHead, Process};
use crate::BackendError;
use crate::compute::{check_thread, in_pool};
use crate::error::Context;
use crate::layers::index;

/// Samples the value of each row of `request`.
///
/// All rows end at the same time; rows with fewer timesteps start later. The number of sequential evaluations is that
/// of the longest row. The bits of a row do not depend on the other rows.
///
/// # Shapes
/// `conditions`: one row per row of `request`; returns: `[rows, channels]`.
///
/// # Errors
/// [`BackendError::Request`] if conditions and rows do not match, or a failure of the device.
///
/// # Source
/// LTH14/mar: `p_sample_loop` of `gaussian_diffusion.py`, `forward_with_cfg` of `diffloss.py`.
pub fn sample(head: &DiffusionHead, conditions: &Conditions, request: &Denoise<'_>) -> Result<Tensor, BackendError> {
    check(conditions, request)?;
    let processes: Vec<Process> = request.timesteps.iter().map(Process::new).collect();
    if !head.device().is_cpu() {
        check_thread(head.device());
        return resident(&Chains::new(head, conditions, request, &processes)?);
    }
    in_pool(head.device(), || HeadRun::new(&Chains::new(head, conditions, request, &processes)?).run())
}

fn check(conditions: &Conditions, request: &Denoise<'_>) -> Result<(), BackendError> {
    let count = request.rows.len();
    let vectors = [Some(&conditions.conditional), conditions.unconditional.as_ref()];
    if let Some(found) = vectors.into_iter().flatten().find(|vectors| vectors.dims().first() != Some(&count)) {
        let found = found.dims();
        return Err(BackendError::Request(format!("expected conditions of {count} rows, found the shape {found:?}")));
    }
    match request.rows.iter().find(|row| row.group >= request.timesteps.len()) {
        Some(HeadRow { group, .. }) => {
            Err(BackendError::Request(format!("the request has no timesteps of group {group}")))
        }
        None if count == 0 => Err(BackendError::Request("expected at least one row".into())),
        None => Ok(()),
    }
}

/// Samples all chains in the memory of the device.
fn resident(chains: &Chains<'_>) -> Result<Tensor, BackendError> {
    let drawn = Resident::new(chains)?.run()?;
    // Restores the order of the rows.
    let mut places = vec![0; chains.list.len()];
    for (place, chain) in chains.list.iter().enumerate() {
        places[chain.row] = place;
    }
    index(places.into_iter(), chains.head.device())
        .and_then(|places| drawn.index_select(&places, 0))
        .context("ordering rows")
}

/// Chains in the memory of the CPU.
struct HeadRun<'a> {
    chains: &'a Chains<'a>,
    /// Current values, `[rows, channels]`.
    x: Vec<f32>,
}

impl<'a> HeadRun<'a> {
    fn new(chains: &'a Chains<'a>) -> Self {
        let channels = chains.channels();
        let mut x = vec![0.0; chains.list.len() * channels];
        for (chain, x) in chains.list.iter().zip(x.chunks_exact_mut(channels)) {
            chain.start(chains.noise, x);
        }
        Self { chains, x }
    }

    /// Runs the chains and returns their final values in the order of the rows: `[rows, channels]`.
    fn run(mut self) -> Result<Tensor, BackendError> {
        let mut joined: Option<(usize, Tensor)> = None;
        for left in (1..=self.chains.longest()).rev() {
            let active = self.chains.active(left);
            let conditions = match joined {
                Some((count, conditions)) if count == active => conditions,
                _ => self.chains.conditions(active)?,
            };
            self.evaluate(left, active, &conditions)?;
            joined = Some((active, conditions));
        }
        let (count, channels) = (self.chains.list.len(), self.chains.channels());
        let mut values = vec![0.0; count * channels];
        for (chain, drawn) in self.chains.list.iter().zip(self.x.chunks_exact(channels)) {
            values[chain.row * channels..][..channels].copy_from_slice(drawn);
        }
        Tensor::from_vec(values, (count, channels), self.chains.head.device())
            .context("moving token values to the device")
    }

    /// Evaluates the network for the first `active` rows, with `left` evaluations left (1 for the last).
    fn evaluate(&mut self, left: usize, active: usize, conditions: &Tensor) -> Result<(), BackendError> {
        let Self { chains, x } = self;
        let channels = chains.channels();
        let steps: Vec<_> = chains.list[..active].iter().map(|chain| chain.coefficients(left)).collect();
        let timesteps: Vec<u32> = steps.iter().map(|step| step.timestep).collect();
        let tokens = Tensor::from_slice(&x[..active * channels], (active, channels), chains.head.device());
        let tokens = tokens.context("moving noisy tokens to the device")?;
        let out = chains.predict(&tokens, chains.head.embed_timesteps(&timesteps)?, conditions)?;
        let out: Vec<f32> =
            out.flatten_all().and_then(|out| out.to_vec1()).context("reading the prediction of the diffusion head")?;
        let (mut predicted, mut noise) = (vec![0.0; channels], vec![0.0; channels]);
        for (index, (chain, step)) in chains.list.iter().zip(steps).enumerate() {
            let (conditional, v) = out[index * 2 * channels..][..2 * channels].split_at(channels);
            predicted.copy_from_slice(conditional);
            if chains.is_guided() {
                let unconditional = &out[(active + index) * 2 * channels..][..channels];
                for (value, without) in predicted.iter_mut().zip(unconditional) {
                    *value = without + chains.guidance * (*value - without);
                }
            }
            if left > 1 {
                chain.noise(chains.noise, left, &mut noise);
            }
            let x = &mut x[index * channels..][..channels];
            step.step(x, &predicted, v, &noise, chains.temperature);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use gtr_core::{DiffusionSteps, ImageIndex, MaskedGenerator, Noise, Seed, Timesteps};

    use super::*;

    /// Runs the path for devices on the CPU and compares it with the path for the CPU.
    #[test]
    fn both_paths_agree() {
        let generator = crate::open_mar("digits", &crate::Files::default(), &Device::Cpu).unwrap();
        let head = generator.model().head();
        let timesteps = [6, 1, 9]
            .map(|steps| Timesteps::new(DiffusionSteps::new(steps).unwrap(), generator.timestep_limit()).unwrap());
        let row = |(number, token)| HeadRow { image: ImageIndex(3), token, group: [0, 2, 1, 0, 0, 2][number % 6] };
        let rows: Vec<HeadRow> = generator.grid().iter().take(21).enumerate().map(row).collect();
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
            let found = resident(&Chains::new(head, &conditions, &request, &processes).unwrap()).unwrap();
            let list = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (found, expected) = (list(&found), list(&expected));
            let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-5 * largest, "{found} {expected} of {largest}");
            }
        }
    }
}
