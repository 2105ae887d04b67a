//! MAR: class-conditional masked autoregressive image generation.
//!
//! # Source
//! Autoregressive Image Generation without Vector Quantization, arXiv 2406.11838; LTH14/mar.

mod class_names;
mod config;
mod family;
mod generator;
mod model;
mod published;
pub(crate) mod reuse;
pub(crate) mod selection;
mod stated_names;
mod wordnet;

pub use self::config::{Class, ImageDecoder, MarConfig};
pub use self::family::Mar;
pub(crate) use self::family::open;
pub use self::generator::MarGenerator;
pub use self::model::{MarModel, Sequence};
pub use crate::model_size::Stack;

/// Partially known images of classes.
pub type Canvas = crate::Canvas<Class>;
