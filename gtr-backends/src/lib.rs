//! Masked autoregressive image models on candle, to be sampled by the plans of [`gtr_core`].
//!
//! A backend computes what a plan asks for and decides nothing about schedules. [`open`](fn@crate::open) gives a model of any
//! family by name or path, [`open_mar`] one of classes, [`open_lightgen`] one of texts, whose prompts a [`TextEncoder`] encodes
//! first; all implement [`gtr_core::MaskedGenerator`]. [`Families`] lists the families, to which a program may add its own
//! [`ModelFamily`]. Latent images become pictures by an autoencoder of [`vae`].
//!
//! On the CPU the bits of an image do not depend on the batch that it is in, nor on the number of threads, nor on the
//! step counts of the tokens that are drawn with it.
//!
//! # Examples
//! All tokens of a digit in one step, which gives a poor picture:
//! ```
//! use gtr_backends::{Device, open};
//! use gtr_core::{Denoise, DiffusionSteps, ImageIndex, MaskedGenerator, Noise, Row, Seed, Targets, Timesteps};
//!
//! let mut generator = open("digits", None, &Device::Cpu)?;
//! let tokens: Vec<_> = generator.grid().iter().collect();
//! let targets = Targets::new([tokens.as_slice()]);
//! let mut canvas = generator.canvas(&[generator.class(7)?], false)?;
//! let features = generator.features(&canvas, &targets)?;
//! let timesteps = [Timesteps::new(DiffusionSteps::new(4)?, generator.timestep_limit())?];
//! let rows: Vec<_> = tokens.iter().map(|&token| Row { image: ImageIndex(0), token, group: 0 }).collect();
//! let noise = Noise::new(Seed(1));
//! let request =
//!     Denoise { timesteps: &timesteps, rows: &rows, guidance: 1.0, temperature: 1.0, noise: &noise };
//! let values = generator.denoise(&features, &request)?;
//! generator.commit(&mut canvas, &targets, values)?;
//! let pictures = generator.decode(canvas)?;
//! assert_eq!((pictures[0].width(), pictures[0].height()), (32, 32));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod checkpoint;
mod compute;
pub mod conform;
mod device;
pub mod diffusion;
mod error;
mod executed;
mod families;
mod family;
pub mod field;
mod file;
mod files;
mod fingerprint;
pub mod judge;
pub mod latent;
mod layers;
pub mod lightgen;
pub mod mar;
mod model;
mod models;
mod numbers;
mod open;
mod picture;
mod product;
mod prompt;
mod published;
pub mod raster;
mod repository;
mod rows;
mod sizes;
mod spec;
mod square;
mod stand_in;
pub mod text;
pub mod trace;
mod unfinished;
pub mod vae;

pub use candle_core::Device;

pub use self::compute::{Compute, Precision};
pub use self::device::{auto_device, device, device_name};
pub use self::error::{BackendError, StackSize};
pub use self::executed::executed;
pub use self::families::Families;
pub use self::family::{ModelFamily, OpenOptions};
pub use self::file::{AtomicFile, follow};
pub use self::fingerprint::{fingerprint, fingerprint_in};
pub use self::judge::{Judge, Verdict};
pub use self::latent::Canvas;
pub use self::model::{AnyModel, Model};
pub use self::models::{EMBEDDED, EmbeddedModel, Files, Found};
pub use self::open::{grid_for, open, open_lightgen, open_mar, published, spec};
pub use self::picture::Picture;
pub use self::prompt::PromptInput;
pub use self::published::{PublishedCost, published_cost};
pub use self::repository::{IN_REPOSITORY, RepositoryModel};
pub use self::sizes::Stack;
pub use self::spec::ModelSpec;
pub use self::square::{Squares, threads};
pub use self::stand_in::{STAND_IN_BYTES, stand_in};
pub use self::text::TextEncoder;
pub use self::unfinished::{Unfinished, remove_unfinished};
