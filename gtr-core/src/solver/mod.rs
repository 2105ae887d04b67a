//! The solver axis: the update of a token from one diffusion step to the next.
//!
//! A model predicts the clean value x0 of a noisy token x = alpha x0 + sigma noise. From x, from this prediction and from
//! the prediction before it, a solver computes the token at the next, lower noise level.

use std::fmt::Debug;

use crate::Capability;
use crate::component::implementations;

/// Noise level of a token: x = `signal` x0 + `noise` n, where n is standard normal.
///
/// A diffusion process has signal^2 + noise^2 = 1; flow matching has signal + noise = 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Factor of the clean value, above 0.
    pub signal: f64,
    /// Factor of the noise, 0 for a clean token.
    pub noise: f64,
}

impl NoiseLevel {
    /// The level of a clean token.
    pub const CLEAN: Self = Self { signal: 1.0, noise: 0.0 };

    /// Returns the logarithm of signal / noise, which is infinite for a clean token.
    pub fn log_ratio(self) -> f64 {
        libm::log(self.signal / self.noise)
    }
}

/// An update of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// A sample of the posterior of the noise process, whose variance the model predicts.
    Posterior,
    /// A linear combination.
    Linear(LinearUpdate),
}

/// Factors of a linear update: x' = `x` x + `x0` x0 + `previous_x0` p + `noise` n, where p is the prediction of the
/// evaluation before, and n is standard normal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinearUpdate {
    /// Factor of the noisy token.
    pub x: f64,
    /// Factor of the predicted clean value.
    pub x0: f64,
    /// Factor of the clean value that the evaluation before predicted; 0 in the first evaluation.
    pub previous_x0: f64,
    /// Factor of new noise.
    pub noise: f64,
}

/// Updates tokens along the noise levels of a diffusion head.
pub trait Solver: Debug + Send + Sync {
    /// Returns the update of an evaluation.
    ///
    /// `levels` has the noise level of each evaluation, descending in noise, and then [`NoiseLevel::CLEAN`], which is the
    /// result of the last evaluation. The update leads from `levels[evaluation]` to `levels[evaluation + 1]`.
    fn update(&self, levels: &[NoiseLevel], evaluation: usize) -> Update;

    /// Returns true if updates add noise. For other solvers, a temperature has no meaning, and the sampling loop refuses
    /// any but 1.
    fn adds_noise(&self) -> bool;

    /// Returns the capabilities that the solver requires of a model.
    fn requirements(&self) -> &'static [Capability] {
        &[]
    }
}

implementations! { Solver:
    ddim::Ddim,
    ddpm::Ddpm,
    dpm::Dpm,
}

pub use dpm::DpmOrder;
