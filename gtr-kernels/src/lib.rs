//! The arithmetic of masked autoregressive models on a CPU: matrix products, convolutions, attention, activations, on slices of `f32`.
//!
//! Two promises make it a crate of its own:
//!
//! - *Same bits.* A row of a result depends on its own row of the input and on nothing else: not on how many rows there are,
//!   nor on the number of threads. Each number is summed in one fixed order. So an image has the same bits in any batch.
//! - *Few rows are fast, too.* Diffusion heads multiply a dozen rows by a hundred megabytes of weights. Weights are laid out
//!   once, in the order in which they are read, and the threads share their columns.
//!
//! Instructions are chosen at run time (AVX-512, AVX2, NEON, or none), by [`pulp`]. Where products are fused with sums, and
//! where they are not, bits differ; with the same kind of instructions they do not depend on the width of the vectors.

#![expect(
    clippy::inline_always,
    reason = "what is compiled for some kind of vectors must be inlined into its dispatch"
)]

mod attention;
mod convolution;
mod elementwise;
mod group_norm;
mod layout;
mod pack;
mod product;
mod tile;

pub use attention::{Attention, attention};
pub use convolution::{Convolution, Image, convolution};
pub use elementwise::{gelu, layer_norm, silu, softmax};
pub use group_norm::group_norm;
pub use layout::COLUMNS;
pub use pack::PackedShape;
pub use product::{Weights, product};
