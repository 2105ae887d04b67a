//! The Gaussian kernel.

use super::Kernel;

/// exp(-x^2 / 2): infinitely smooth fields, which a few tokens all but determine. Choose a nugget of 0.01 or more.
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
