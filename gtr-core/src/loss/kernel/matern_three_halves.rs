//! The Matérn kernel of smoothness 3/2.

use super::Kernel;

/// (1 + sqrt(3) x) exp(-sqrt(3) x): once differentiable fields.
#[derive(Clone, Copy, Debug)]
pub struct MaternThreeHalves;

impl Kernel for MaternThreeHalves {
    fn kind(&self) -> &'static str {
        "matern-3/2"
    }

    fn summary(&self) -> &'static str {
        "(1 + sqrt(3) x) exp(-sqrt(3) x): once differentiable"
    }

    fn correlation(&self, distance: f64) -> f64 {
        let scaled = 3.0_f64.sqrt() * distance;
        let decay = libm::exp(-scaled);
        // For an infinite distance, inf * 0 would be NaN.
        if decay == 0.0 { 0.0 } else { (1.0 + scaled) * decay }
    }
}
