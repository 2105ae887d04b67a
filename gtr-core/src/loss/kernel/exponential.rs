//! The exponential kernel.

use super::Kernel;

/// exp(-x): rough fields, in which a known neighbour screens off the tokens behind it.
#[derive(Clone, Copy, Debug)]
pub struct Exponential;

impl Kernel for Exponential {
    fn kind(&self) -> &'static str {
        "exponential"
    }

    fn summary(&self) -> &'static str {
        "exp(-x): rough, as images are at the scale of tokens"
    }

    fn correlation(&self, distance: f64) -> f64 {
        libm::exp(-distance)
    }
}
