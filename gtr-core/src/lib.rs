//! Sampling plans for masked autoregressive (MAR) image generators. A plan determines at which step each token of an
//! image is generated, and with how many diffusion steps.
//!
//! A [`Schedule`] is one choice on each axis: [`order`], [`pace`], [`diffusion`], [`detail`], and the optional
//! [`guidance`], [`solver`], [`reuse`] and [`cooling`]. With a [`Grid`], it determines a [`Plan`]. A plan is data: it can be printed, saved, verified independently ([`verify`]) and run
//! ([`Sampler`]) on any model that implements [`MaskedGenerator`]. This crate does not use tensors, files or clocks.
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
//! // The token order of image 5 under seed 1, the same on every machine.
//! let order = planned.plan.order(Seed(1), ImageIndex(5))?;
//! assert_eq!(order.len(), 256);
//! # Ok::<(), gtr_core::Error>(())
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::disallowed_methods)]

mod axes;

use axes::axes;

/// Declares the modules of the axes and exports their traits.
macro_rules! modules {
    (
        required { $($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident, $text:literal;)* }
        optional { $(
            $other:ident $other_field:ident $other_axis:ident, $other_list:ident $other_with:ident $other_build:ident,
            $default:literal $(=> $data:ident)?, $other_text:literal;
        )* }
    ) => {
        $(pub mod $field; pub use $field::$axis;)*
        $(pub mod $other_field; pub use $other_field::$other_axis;)*
    };
}

axes!(modules);

pub mod component;
pub mod cost;
pub mod design;
pub mod erased;
pub mod form;
#[cfg(any(test, feature = "testing"))]
pub mod laws;
pub mod loss;
pub mod preset;
pub mod reference;

pub mod sampler;
pub mod schema;

mod axis_name;
mod byte_order_mark;
mod capability;
mod config;
mod counts;
mod document;
mod error;
mod fit;
mod generator;
mod grid;
mod json_object;
mod lists;
mod noise;
mod partition;
mod plan;
mod registry;
mod role;
mod rules;
mod schedule;
mod shape;
mod spread;
mod step_axes;
mod step_reuse;
mod timesteps;
mod token_set;
mod units;
mod violation;

pub use axis_name::AxisName;
pub use byte_order_mark::{Utf16, unmarked};
pub use capability::Capability;
pub use component::{AnyEntry, Component, Description, Entry, Parameter};
pub use config::{AxisConfig, Params};
pub use counts::{count, float, plural};
pub use detail::spectrum::Spectrum;
pub use document::{DetailDocument, GridDocument, MAX_PLAN_BYTES, PlanDocument, StageDocument, StepDocument};
pub use error::Error;
pub use fit::FitPolicy;
pub use generator::{
    BoxPreviewer, Denoise, FeatureReader, FeatureRows, HeadKind, HeadRow, HeadVariance, ImageEncoder, MaskedGenerator,
    NonFinite, Previewer, StepContext, Targets, TokenRanker,
};
pub use grid::{Grid, GridError, Position, TokenIndex};
pub use guidance::{Guidance, GuidanceSchedule};
pub use noise::{Noise, NoiseSource, Stream, StreamPurpose};
pub use order::StageOrder;
pub use partition::Partition;
pub use plan::{DetailSummary, Plan, Planned, Stage, StageSummary, Step, Summary};
pub use registry::Registry;
pub use role::Role;
pub use rules::{Checked, Verification, verify};
pub use sampler::Sampler;
pub use schedule::Schedule;
pub use shape::{PlanShape, StepShape};
pub use spread::Spread;
pub use step_axes::StepAxes;
pub use step_reuse::{CachedParts, HeadPass, HeadReuse, Pruning, StepReuse};
pub use timesteps::{TimestepLimit, Timesteps, TooManyDiffusionSteps};
pub use token_set::TokenSet;
pub use units::{ArSteps, DiffusionSteps, Fraction, ImageIndex, OutOfRange, Rate, Seed, Timestep};
pub use violation::{Rule, Violation};
