//! LightGen: masked autoregressive generation of images of a text.
//!
//! # Source
//! LightGen, arXiv 2503.08619; XianfengWu01/LightGen, `models/fluid_arbitrary.py`.

mod config;
mod cross;
mod generator;
mod model;
mod open;
mod positions;
mod text;

pub use self::config::LightGenConfig;
pub(crate) use self::config::NAMES;
pub use self::generator::LightGenGenerator;
pub use self::model::{LightGenModel, Positions};
pub(crate) use self::open::config;
pub use self::open::{grid_of, open_lightgen, prompt_length};
pub use self::positions::interpolate;
pub use self::text::TextFeatures;

/// Pictures of texts, of which some tokens are known.
pub type Canvas = crate::Canvas<TextFeatures>;
