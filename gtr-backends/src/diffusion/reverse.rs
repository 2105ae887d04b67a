//! Reverse steps of a process as a solver takes them.

use gtr_core::Solver;
use gtr_core::solver::{LinearUpdate, Update};

use super::{Coefficients, Process};
use crate::ops::STEP_COLUMNS;

/// One reverse step, in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ReverseStep {
    /// Timestep, estimate of the clean value, and step of ancestral sampling.
    ancestral: Coefficients,
    /// Factors of the update; `None` for ancestral sampling.
    linear: Option<Linear>,
}

/// [`LinearUpdate`] in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Linear {
    x: f32,
    x0: f32,
    previous_x0: f32,
    noise: f32,
}

impl From<LinearUpdate> for Linear {
    #[expect(clippy::cast_possible_truncation, reason = "computed in f64, used in f32")]
    fn from(update: LinearUpdate) -> Self {
        let LinearUpdate { x, x0, previous_x0, noise } = update;
        Self { x: x as f32, x0: x0 as f32, previous_x0: previous_x0 as f32, noise: noise as f32 }
    }
}

/// Output of the network for a token after guidance, one element per channel: the noise, and the position of the
/// log-variance between its bounds.
#[derive(Clone, Copy)]
pub(crate) struct Predicted<'a> {
    pub(crate) noise: &'a [f32],
    pub(crate) v: &'a [f32],
}

impl ReverseStep {
    /// Returns the reverse steps of a process, one per evaluation, from the highest timestep down.
    pub(crate) fn all(process: &Process, solver: &dyn Solver) -> Vec<Self> {
        let levels = process.levels();
        let step = |evaluation| {
            let linear = match solver.update(&levels, evaluation) {
                Update::Posterior => None,
                Update::Linear(update) => Some(update.into()),
            };
            Self { ancestral: process.coefficients(evaluation), linear }
        };
        (0..process.evaluations()).map(step).collect()
    }

    /// Timestep, the input of the network.
    pub(crate) fn timestep(&self) -> u32 {
        self.ancestral.timestep
    }

    /// Returns true if the step adds noise.
    pub(crate) fn adds_noise(&self) -> bool {
        match self.linear {
            Some(linear) => linear.noise != 0.0,
            None => self.ancestral.log_variance.is_some(),
        }
    }

    /// Takes the step in place: of the values `x` of a token, and of `x0`, the clean values that the evaluation before
    /// predicted and then those of this one.
    ///
    /// # Shapes
    /// All slices have one element per channel; `noise` is ignored if [`ReverseStep::adds_noise`] is false.
    pub(crate) fn take(
        &self,
        x: &mut [f32],
        x0: &mut [f32],
        predicted: Predicted<'_>,
        noise: &[f32],
        temperature: f32,
    ) {
        let Coefficients { x0_from_x, x0_from_noise, .. } = self.ancestral;
        let estimate = |x: f32, noise: f32| x0_from_x * x - x0_from_noise * noise;
        let Some(linear) = self.linear else {
            for ((x0, x), noise) in x0.iter_mut().zip(&*x).zip(predicted.noise) {
                *x0 = estimate(*x, *noise);
            }
            return self.ancestral.step(x, predicted.noise, predicted.v, noise, temperature);
        };
        for (index, (x, x0)) in x.iter_mut().zip(x0).enumerate() {
            let previous = std::mem::replace(x0, estimate(*x, predicted.noise[index]));
            let mut next = linear.x0 * *x0 + linear.x * *x;
            if linear.previous_x0 != 0.0 {
                next += linear.previous_x0 * previous;
            }
            if linear.noise != 0.0 {
                next += linear.noise * noise[index] * temperature;
            }
            *x = next;
        }
    }
}

impl ReverseStep {
    /// Returns the columns of the step for [`FusedStep`](crate::ops::FusedStep). The bounds of the log-variance are 0 for a
    /// linear update, whose noise has a factor instead.
    pub(super) fn columns(&self) -> [f32; STEP_COLUMNS] {
        let Coefficients { x0_from_x, x0_from_noise, mean_from_x0, mean_from_x, log_variance, .. } = self.ancestral;
        match self.linear {
            None => {
                let (least, most) = log_variance.unwrap_or_default();
                let noise = f32::from(u8::from(log_variance.is_some()));
                [x0_from_x, x0_from_noise, mean_from_x0, mean_from_x, least, most, 0.0, noise]
            }
            Some(Linear { x, x0, previous_x0, noise }) => {
                [x0_from_x, x0_from_noise, x0, x, 0.0, 0.0, previous_x0, noise]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gtr_core::solver::{Ddim, Ddpm, Dpm};
    use gtr_core::{DiffusionSteps, Fraction, TimestepLimit, Timesteps};

    use super::*;

    fn steps(solver: &dyn Solver) -> Vec<ReverseStep> {
        let timesteps = Timesteps::new(DiffusionSteps::new(5).unwrap(), TimestepLimit::NONE).unwrap();
        ReverseStep::all(&Process::new(&timesteps), solver)
    }

    #[test]
    fn a_step_of_ancestral_sampling_has_the_bits_of_its_coefficients() {
        for step in steps(&Ddpm {}) {
            let (noise, v, random) = ([0.25, -0.5], [0.9, -0.1], [1.5, -0.75]);
            let (mut found, mut x0) = ([0.5, -1.25], [9.0; 2]);
            let mut expected = found;
            step.take(&mut found, &mut x0, Predicted { noise: &noise, v: &v }, &random, 0.9);
            step.ancestral.step(&mut expected, &noise, &v, &random, 0.9);
            assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits));
        }
    }

    #[test]
    fn noise_is_drawn_only_where_a_step_adds_it() {
        let adds = |solver: &dyn Solver| steps(solver).iter().map(ReverseStep::adds_noise).collect::<Vec<_>>();
        let all_but_last = [true, true, true, true, false];
        assert_eq!(adds(&Ddpm {}), all_but_last);
        assert_eq!(adds(&Ddim { eta: Fraction::new(1.0).unwrap() }), all_but_last);
        assert_eq!(adds(&Ddim::default()), [false; 5]);
        assert_eq!(adds(&Dpm::default()), [false; 5]);
    }

    #[test]
    fn the_estimate_of_the_evaluation_before_is_kept() {
        let step = steps(&Dpm::default())[1];
        let linear = step.linear.unwrap();
        assert!(linear.previous_x0 < 0.0);
        let (mut x, mut x0) = ([0.5], [2.0]);
        step.take(&mut x, &mut x0, Predicted { noise: &[0.25], v: &[9.0] }, &[9.0], 1.0);
        let estimate = step.ancestral.x0_from_x * 0.5 - step.ancestral.x0_from_noise * 0.25;
        assert!((x0[0] - estimate).abs() < 1e-6);
        let expected = linear.x * 0.5 + linear.x0 * estimate + linear.previous_x0 * 2.0;
        assert!((x[0] - expected).abs() < 1e-6);
    }
}
