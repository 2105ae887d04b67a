//! Operations on the CPU by `gtr-kernels`.

mod matmul;
mod row_ops;

pub(super) use self::matmul::{attention, linear};
pub(super) use self::row_ops::{gated_sum, layer_norm, silu_of_sum};
