//! Products of square matrices, to compare a model's rate with.

use candle_core::{Device, Tensor};

use crate::BackendError;
use crate::error::Context;
use crate::product;

/// Two square matrices.
#[derive(Debug)]
pub struct Squares {
    side: usize,
    a: Tensor,
    b: Tensor,
    bias: Tensor,
}

impl Squares {
    /// Matrices of `side` rows.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn new(side: usize) -> Result<Self, BackendError> {
        let matrix = || Tensor::ones((side, side), candle_core::DType::F32, &Device::Cpu);
        let bias = Tensor::zeros(side, candle_core::DType::F32, &Device::Cpu).context("making matrices")?;
        Ok(Self { side, a: matrix().context("making matrices")?, b: matrix().context("making matrices")?, bias })
    }

    /// Multiplies them as models do, and gives the number of operations that it took.
    ///
    /// # Errors
    /// A failure of the tensor library.
    #[expect(clippy::cast_precision_loss, reason = "a side is far below 2^53")]
    pub fn multiply(&self) -> Result<f64, BackendError> {
        product::linear(&self.a, &self.b, &self.bias, None).context("multiplying matrices")?;
        Ok(2.0 * (self.side as f64).powi(3))
    }
}

/// Threads that compute.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
