//! MAR: masked autoregressive generation of images of a class.
//!
//! # Source
//! Autoregressive Image Generation without Vector Quantization, arXiv 2406.11838; LTH14/mar.

mod class_names;
mod config;
mod generator;
mod model;
mod named;
mod open;
mod wordnet;

pub use self::config::{Class, ImageDecoder, MarConfig};
pub use self::generator::MarGenerator;
pub use self::model::{MarModel, Sequence};
pub(crate) use self::named::NAMES;
pub(crate) use self::open::config;
pub use self::open::{open, open_mar};
pub use crate::sizes::Stack;

/// Pictures of classes, of which some tokens are known.
pub type Canvas = crate::Canvas<Class>;
