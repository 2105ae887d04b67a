//! The diffusion head: a small network that samples the value of each token in a denoising chain, given the
//! conditioning vector of the token.

mod chain;
mod device_chain;
mod head;
mod process;
mod sampler;

pub use self::chain::Conditions;
pub use self::head::{DiffusionHead, HeadSize, waves};
pub use self::process::{Coefficients, Process};
pub use self::sampler::sample;
