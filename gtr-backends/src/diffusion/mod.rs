//! The diffusion head: a small network that samples the value of each token in a denoising chain, given the
//! conditioning vector of the token.

mod chain;
mod device_chain;
mod evaluator;
mod head;
mod lazy_head;
mod process;
mod repeat;
mod reverse;
mod sampler;

pub use self::chain::Conditions;
pub use self::head::{DiffusionHead, HeadSize, waves};
pub(crate) use self::lazy_head::LazyHead;
pub use self::process::{Coefficients, Process};
pub(crate) use self::reverse::{Predicted, ReverseStep};
pub use self::sampler::sample;
