//! Fused kernels of the device path. Each is one launch on a GPU (sources in `gtr-backends/cuda`) and needs no upload.
//!
//! A [`Kernel`] has a function on the CPU, its reference, and the [`Call`] of its CUDA source. Tests compile the CUDA
//! sources for the CPU, make the same calls, and compare the results with the reference.

#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "read by launches and by tests"))]
mod call;
#[cfg(feature = "cuda")]
mod cuda;
mod finish;
mod gated_sum;
mod heads;
mod kernel;
mod layer_norm;
mod operand;
mod reverse_step;
mod silu_of_sum;
#[cfg(test)]
mod tests;

use self::call::{Argument, Call};
pub(super) use self::finish::finish;
pub(super) use self::gated_sum::gated_sum;
pub(super) use self::heads::{Heads, merge_heads, split_heads};
use self::kernel::{Kernel, run1, run3};
pub(super) use self::layer_norm::layer_norm;
use self::operand::Operand;
pub(crate) use self::reverse_step::{COLUMNS, ReverseStep};
pub(super) use self::silu_of_sum::silu_of_sum;
