//! LightGen: text-conditional masked autoregressive image generation.
//!
//! # Source
//! LightGen, arXiv 2503.08619; XianfengWu01/LightGen, `models/fluid_arbitrary.py`.

mod config;
mod cross;
mod family;
mod generator;
mod model;
mod positions;
mod text;

pub use self::config::LightGenConfig;
pub use self::family::LightGen;
pub(crate) use self::family::open;
pub use self::generator::LightGenGenerator;
pub use self::model::{LightGenModel, Positions};
pub use self::positions::interpolate;
pub use self::text::TextFeatures;

/// Partially known images of texts.
pub type Canvas = crate::Canvas<TextFeatures>;
