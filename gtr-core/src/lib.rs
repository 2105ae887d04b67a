//! Sampling plans for masked autoregressive image generators.
#![forbid(unsafe_code)]

mod diffusion {
    pub(crate) mod timesteps;
}
mod generator;
mod grid;
mod noise;
mod units;

pub use diffusion::timesteps::{TimestepLimit, Timesteps, TooManyDiffusionSteps};
pub use generator::{Capability, Denoise, FeatureRows, MaskedGenerator, NonFinite, Row, Targets};
pub use grid::{Grid, GridError, Position, TokenIndex};
pub use noise::{Noise, NoiseSource, Purpose, Stream};
pub use units::{ArSteps, DiffusionSteps, ImageIndex, OutOfRange, Rate, Seed, Share, Timestep};
