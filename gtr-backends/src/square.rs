//! Products of square matrices, to compare a model's rate with.

use candle_core::{Device, Tensor};

use crate::BackendError;
use crate::error::Context;

/// Two square matrices.
#[derive(Debug)]
pub struct Squares {
    side: usize,
    a: Tensor,
    b: Tensor,
}

impl Squares {
    /// Matrices of `side` rows.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn new(side: usize) -> Result<Self, BackendError> {
        let matrix = || Tensor::ones((side, side), candle_core::DType::F32, &Device::Cpu);
        Ok(Self { side, a: matrix().context("making matrices")?, b: matrix().context("making matrices")? })
    }

    /// Multiplies them with the tensor library's product, and gives the number of operations that it took.
    ///
    /// # Errors
    /// A failure of the tensor library.
    #[expect(clippy::cast_precision_loss, reason = "a side is far below 2^53")]
    pub fn multiply(&self) -> Result<f64, BackendError> {
        self.a.matmul(&self.b).context("multiplying matrices")?;
        Ok(2.0 * (self.side as f64).powi(3))
    }
}

/// Threads that compute.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
