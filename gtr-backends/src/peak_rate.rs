//! Products of square matrices, as a reference for the throughput of a model.

use candle_core::{Device, Tensor};

use crate::BackendError;
use crate::error::Context;

/// Two square matrices to multiply.
#[derive(Debug)]
pub struct PeakRate {
    side: usize,
    a: Tensor,
    b: Tensor,
}

impl PeakRate {
    /// Creates matrices with `side` rows.
    ///
    /// # Errors
    /// Any failure of the tensor library.
    pub fn new(side: usize) -> Result<Self, BackendError> {
        let matrix = || Tensor::ones((side, side), candle_core::DType::F32, &Device::Cpu);
        Ok(Self { side, a: matrix().context("creating matrices")?, b: matrix().context("creating matrices")? })
    }

    /// Multiplies the matrices with the tensor library and returns the number of floating-point operations.
    ///
    /// # Errors
    /// Any failure of the tensor library.
    #[expect(clippy::cast_precision_loss, reason = "a side is far below 2^53")]
    pub fn multiply(&self) -> Result<f64, BackendError> {
        self.a.matmul(&self.b).context("multiplying matrices")?;
        Ok(2.0 * (self.side as f64).powi(3))
    }
}

/// Sets the number of threads used for computation. Results do not depend on it.
///
/// Call it once, before the first model is opened.
///
/// # Errors
/// [`BackendError::Threads`] if threads are already running or cannot be started.
pub fn set_threads(threads: usize) -> Result<(), BackendError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| BackendError::Threads { threads, reason: error.to_string() })
}

/// Number of threads used for computation.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
