//! The Gaussian kernel.

use super::Kernel;

/// exp(-x^2 / 2): infinitely smooth fields, which a few tokens almost determine. Use a nugget of at least 0.01.
#[derive(Clone, Copy, Debug)]
pub struct Gaussian;

impl Kernel for Gaussian {
    fn kind(&self) -> &'static str {
        "gaussian"
    }

    fn summary(&self) -> &'static str {
        "exp(-x^2 / 2): infinitely smooth"
    }

    fn correlation(&self, distance: f64) -> f64 {
        libm::exp(-0.5 * distance * distance)
    }
}
