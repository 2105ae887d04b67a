//! Products of square matrices, as a reference for the throughput of a model.

use candle_core::{DType, Tensor};

use crate::error::Context;
use crate::{BackendError, Compute, Precision};

/// Two square matrices to multiply.
#[derive(Debug)]
pub struct PeakRate {
    side: usize,
    a: Tensor,
    b: Tensor,
}

impl PeakRate {
    /// Returns the sizes that reach the best rate of a device. On devices other than the CPU, a product of the smaller one
    /// takes at least ten times as long as waiting for it.
    pub fn sides(compute: &Compute) -> [usize; 2] {
        if compute.device().is_cpu() { [1024, 2048] } else { [4096, 8192] }
    }

    /// Creates matrices with `side` rows, on the device and in the type of the products of a model. On the CPU this type
    /// is f32 for every precision.
    ///
    /// # Errors
    /// Any failure of the tensor library.
    pub fn new(side: usize, compute: &Compute) -> Result<Self, BackendError> {
        let matrix = || Tensor::ones((side, side), product_type(compute), compute.device());
        Ok(Self { side, a: matrix().context("creating matrices")?, b: matrix().context("creating matrices")? })
    }

    /// Multiplies the matrices with the tensor library and returns the number of floating-point operations. On devices
    /// other than the CPU the product is only queued: see [`synchronize`](crate::synchronize).
    ///
    /// # Errors
    /// Any failure of the tensor library.
    #[expect(clippy::cast_precision_loss, reason = "a side is far below 2^53")]
    pub fn multiply(&self) -> Result<f64, BackendError> {
        self.a.matmul(&self.b).context("multiplying matrices")?;
        Ok(2.0 * (self.side as f64).powi(3))
    }
}

/// Returns the type of the operands of a model's products.
fn product_type(compute: &Compute) -> DType {
    match compute.precision() {
        _ if compute.device().is_cpu() => DType::F32,
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::BF16,
        Precision::F16 => DType::F16,
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
