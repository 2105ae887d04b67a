//! Sampling of token values: denoising chains of many rows at once.

use candle_core::Tensor;
use gtr_core::{Denoise, HeadRow};

use super::chain::Chains;
use super::device_chain::Resident;
use super::evaluator::Evaluator;
use super::reverse::{Predicted, ReverseStep};
use super::{Conditions, DiffusionHead, Process};
use crate::BackendError;
use crate::compute::{ComputePath, run_call};
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
    let steps = reverse_steps(request);
    run_call(head.compute(), || {
        let chains = Chains::new(head, conditions, request, &steps)?;
        match head.path() {
            ComputePath::Host => HeadRun::new(&chains).run(),
            ComputePath::Device => resident(&chains),
        }
    })
}

/// Returns the reverse steps of each group of rows.
fn reverse_steps(request: &Denoise<'_>) -> Vec<Vec<ReverseStep>> {
    request.timesteps.iter().map(|timesteps| ReverseStep::all(&Process::new(timesteps), request.solver)).collect()
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
    /// Clean values that the last evaluation predicted, `[rows, channels]`.
    x0: Vec<f32>,
}

impl<'a> HeadRun<'a> {
    fn new(chains: &'a Chains<'a>) -> Self {
        let channels = chains.channels();
        let mut x = vec![0.0; chains.list.len() * channels];
        for (chain, x) in chains.list.iter().zip(x.chunks_exact_mut(channels)) {
            chain.start(chains.noise, x);
        }
        Self { chains, x0: vec![0.0; x.len()], x }
    }

    /// Runs the chains and returns their final values in the order of the rows: `[rows, channels]`.
    fn run(mut self) -> Result<Tensor, BackendError> {
        let mut evaluator = Evaluator::new(self.chains)?;
        for left in (1..=self.chains.longest()).rev() {
            self.evaluate(left, &mut evaluator)?;
        }
        let (count, channels) = (self.chains.list.len(), self.chains.channels());
        let mut values = vec![0.0; count * channels];
        for (chain, drawn) in self.chains.list.iter().zip(self.x.chunks_exact(channels)) {
            values[chain.row * channels..][..channels].copy_from_slice(drawn);
        }
        Tensor::from_vec(values, (count, channels), self.chains.head.device())
            .context("moving token values to the device")
    }

    /// Evaluates the network for the rows that take part, with `left` evaluations left (1 for the last).
    fn evaluate(&mut self, left: usize, evaluator: &mut Evaluator<'_>) -> Result<(), BackendError> {
        let Self { chains, x, x0 } = self;
        let (channels, active) = (chains.channels(), chains.active(left));
        let steps: Vec<_> = chains.list[..active].iter().map(|chain| chain.step(left)).collect();
        let timesteps: Vec<u32> = steps.iter().map(ReverseStep::timestep).collect();
        let tokens = Tensor::from_slice(&x[..active * channels], (active, channels), chains.head.device());
        let tokens = tokens.context("moving noisy tokens to the device")?;
        let timesteps = Tensor::new(timesteps.as_slice(), chains.head.device()).context("moving timesteps")?;
        let out = evaluator.predict(left, &tokens, &timesteps)?;
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
            if step.adds_noise() {
                chain.noise(chains.noise, left, &mut noise);
            }
            let (x, x0) = (&mut x[index * channels..][..channels], &mut x0[index * channels..][..channels]);
            step.take(x, x0, Predicted { noise: &predicted, v }, &noise, chains.temperature);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use gtr_core::solver::{Ddim, Ddpm, Dpm, DpmOrder};
    use gtr_core::{
        DiffusionSteps, Fraction, HeadReuse, ImageIndex, MaskedGenerator, Noise, Seed, Solver, StepContext, StepReuse,
        TimestepLimit, Timesteps,
    };

    use super::*;
    use crate::Compute;
    use crate::mar::MarGenerator;

    /// Runs the path for devices on the CPU, with and without repeated evaluations, and compares it with the path for the CPU.
    fn compare([generator, direct, repeated]: &[MarGenerator; 3], step: &StepContext, solver: &dyn Solver) {
        let head = generator.model().head();
        let timesteps =
            [6, 1, 9].map(|steps| Timesteps::new(DiffusionSteps::new(steps).unwrap(), TimestepLimit::NONE).unwrap());
        let row = |(number, token)| HeadRow { image: ImageIndex(3), token, group: [0, 2, 1, 0, 0, 2][number % 6] };
        let rows: Vec<HeadRow> = generator.grid().iter().take(21).enumerate().map(row).collect();
        let vectors = |phase: f32| {
            let values = (0..21_u16 * 128).map(|place| (f32::from(place) * 0.7 + phase).sin()).collect();
            Tensor::from_vec(values, (21, 128), &Device::Cpu).unwrap()
        };
        let unconditional = step.is_guided().then(|| vectors(1.0));
        let conditions = Conditions { conditional: vectors(0.0), unconditional };
        let noise = Noise::new(Seed(4));
        let request = Denoise { timesteps: &timesteps, rows: &rows, step, solver, noise: &noise };
        let expected = sample(head, &conditions, &request).unwrap();
        let steps = reverse_steps(&request);
        let through = |generator: &MarGenerator| {
            let head = generator.model().head();
            resident(&Chains::new(head, &conditions, &request, &steps).unwrap()).unwrap()
        };
        let list = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (found, expected) = (list(&through(direct)), list(&expected));
        assert_eq!(found, list(&through(repeated)), "{solver:?}");
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{solver:?}: {found} {expected} of {largest}");
        }
    }

    #[test]
    fn both_paths_agree() {
        let host = Compute::from(&Device::Cpu);
        let device = host.clone().through_device_path();
        let models = [host, device.clone(), device.with_graphs()]
            .map(|compute| crate::open_mar("digits", &crate::Files::default(), compute).unwrap());
        let stochastic = Ddim { eta: Fraction::new(0.8).unwrap() };
        let solvers: [&dyn Solver; 5] = [
            &Ddpm {},
            &Ddim::default(),
            &stochastic,
            &Dpm { order: DpmOrder::First, ..Dpm::default() },
            &Dpm::default(),
        ];
        for solver in solvers {
            for (guidance, temperature) in [(1.0, 0.9), (1.7, 0.9), (1.7, 1.0)] {
                let step = StepContext { guidance, temperature, ..StepContext::single(49, 0) };
                compare(&models, &step, solver);
                let head = HeadReuse { period: DiffusionSteps::new(4).unwrap(), warm: Fraction::new(0.8).unwrap() };
                let reuse = Some(StepReuse { cached: None, head: Some(head) });
                compare(&models, &StepContext { reuse, ..step }, solver);
            }
        }
    }
}
