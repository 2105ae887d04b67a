//! CPU kernels for masked autoregressive models: matrix products, convolutions, attention and activations on slices of
//! `f32`.
//!
//! Two properties distinguish this crate:
//!
//! - *Reproducible bits.* A row of a result depends only on the corresponding row of the input, not on the number of
//!   rows or threads. Each value is summed in a fixed order. An image therefore has the same bits in any batch.
//! - *Fast for few rows.* A diffusion head multiplies a dozen rows by a hundred megabytes of weights. The weights are
//!   packed once, in the order in which the kernels read them, and the threads divide the columns among themselves.
//!
//! [`pulp`] selects the instruction set at run time (AVX-512, AVX2, NEON, or scalar). Bits differ between instruction
//! sets with and without fused multiply-add. They do not depend on the vector width.

#![expect(
    clippy::inline_always,
    reason = "code must be inlined into the dispatched function to be compiled for its instruction set"
)]

mod attention;
mod convolution;
mod decode;
mod elementwise;
mod group_norm;
mod layout;
mod pack;
mod product;
mod random;
mod tile;

pub use attention::{Attention, attention};
pub use convolution::{Convolution, Image, convolution};
pub use decode::{decode_bf16, decode_f16, decode_f32};
pub use elementwise::{add, gated_sum, gelu, layer_norm, modulate, silu, softmax};
pub use group_norm::group_norm;
pub use layout::COLUMNS;
pub use pack::PackedShape;
pub use product::{Weights, product};
pub use random::{append_uniform, splitmix64};
