//! Sampling plans for masked autoregressive (MAR) image generators: which tokens of an image are generated when, and with
//! how much computation.
//!
//! A [`Schedule`] is one choice on each of four axes ([`order`], [`pace`], [`diffusion`], [`detail`]); on a [`Grid`] it
//! makes a [`Plan`], which is data: it can be printed, saved, checked by someone else ([`verify`]) and run
//! ([`Sampler`]) on any model that implements [`MaskedGenerator`]. This crate knows no tensors, files or clocks.
//!
//! ```
//! use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
//!
//! let preset = preset::find("gtr-paper")?;
//! let planned = preset.schedule.plan(Grid::new(16, 16)?, &Registry::builtin())?;
//! let summary = planned.plan.summary();
//! assert_eq!(summary.ar_steps, 32);
//! assert_eq!(summary.stages[2].tokens, 128);
//!
//! // The token order of image 5 under seed 1, whoever makes it, wherever.
//! let order = planned.plan.order(Seed(1), ImageIndex(5));
//! assert_eq!(order.len(), 256);
//! # Ok::<(), gtr_core::Error>(())
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::disallowed_methods)]

pub mod component;
pub mod cost;
pub mod design;
pub mod detail;
pub mod diffusion;
pub mod erased;
#[cfg(any(test, feature = "testing"))]
pub mod laws;
pub mod loss;
pub mod order;
pub mod pace;
pub mod preset;

pub mod sampler;

mod capability;
mod config;
mod document;
mod error;
mod fit;
mod generator;
mod grid;
mod guidance;
mod noise;
mod object;
mod partition;
mod plan;
mod registry;
mod role;
mod rules;
mod schedule;
mod spread;
mod timesteps;
mod token_set;
mod units;
mod unmarked;
mod violation;
mod words;

pub use capability::Capability;
pub use component::{Component, Description, Entry, Parameter};
pub use config::{AxisName, Config, Params};
pub use detail::Detail;
pub use detail::spectrum::Spectrum;
pub use diffusion::Diffusion;
pub use document::{DetailDocument, GridDocument, MAX_PLAN_BYTES, PlanDocument, StageDocument, StepDocument};
pub use error::Error;
pub use fit::Fit;
pub use generator::{Denoise, FeatureRows, MaskedGenerator, NonFinite, Row, Targets};
pub use grid::{Grid, GridError, Position, TokenIndex};
pub use guidance::{Guidance, GuidanceSchedule};
pub use noise::{Noise, NoiseSource, Purpose, Stream};
pub use order::{Order, Within};
pub use pace::Pace;
pub use partition::Partition;
pub use plan::{DetailSummary, Plan, Planned, Stage, StageSummary, Step, Summary};
pub use registry::Registry;
pub use role::Role;
pub use rules::{Checked, Verification, verify};
pub use sampler::Sampler;
pub use schedule::Schedule;
pub use spread::Spread;
pub use timesteps::{TimestepLimit, Timesteps, TooManyDiffusionSteps};
pub use token_set::TokenSet;
pub use units::{ArSteps, DiffusionSteps, ImageIndex, OutOfRange, Rate, Seed, Share, Timestep};
pub use unmarked::{Utf16, unmarked};
pub use violation::{Rule, Violation};
