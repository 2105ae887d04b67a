//! Masked autoregressive image models on candle, for sampling with the plans of [`gtr_core`].
//!
//! A backend executes a plan and makes no scheduling decisions. [`open`](fn@crate::open) opens a model of any family by
//! name or path, [`open_mar`] a class-conditional model, and [`open_lightgen`] a text-conditional model, whose prompts
//! are encoded by a [`TextEncoder`]. All implement [`gtr_core::MaskedGenerator`]. [`Families`] lists the families; a
//! program can add its own [`ModelFamily`]. The autoencoders in [`vae`] decode latent images.
//!
//! On the CPU, the bits of an image do not depend on its batch, on the number of threads, or on the step counts of
//! other tokens.
//!
//! # Examples
//! Generates all tokens of a digit in one step, which gives a poor image:
//! ```
//! use gtr_backends::{Device, open};
//! use gtr_core::solver::Ddpm;
//! use gtr_core::{
//!     Denoise, DiffusionSteps, HeadRow, ImageIndex, MaskedGenerator, Noise, Seed, StepContext, Targets, Timesteps,
//! };
//!
//! let mut generator = open("digits", None, &Device::Cpu)?;
//! let tokens: Vec<_> = generator.grid().iter().collect();
//! let targets = Targets::new([tokens.as_slice()]);
//! let step = StepContext::single(tokens.len(), 0);
//! let mut canvas = generator.canvas(&[generator.class(7)?], false)?;
//! let features = generator.features(&mut canvas, &targets, &step)?;
//! let timesteps = [Timesteps::new(DiffusionSteps::new(4)?, generator.head_kind().timesteps())?];
//! let rows: Vec<_> = tokens.iter().map(|&token| HeadRow { image: ImageIndex(0), token, group: 0 }).collect();
//! let noise = Noise::new(Seed(1));
//! let request = Denoise { timesteps: &timesteps, rows: &rows, step: &step, solver: &Ddpm {}, noise: &noise };
//! let values = generator.denoise(&features, &request)?;
//! generator.commit(&mut canvas, &targets, values)?;
//! let pictures = generator.decode(canvas)?;
//! assert_eq!((pictures[0].width(), pictures[0].height()), (32, 32));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod atomic_file;
mod bounded_read;
pub mod checkpoint;
mod compute;
pub mod conform;
mod device;
mod device_memory;
pub mod diffusion;
mod error;
mod executed_cost;
mod families;
mod family;
mod family_table;
pub mod field;
mod file_checksum;
mod fingerprint;
mod host_slice;
pub mod judge;
pub mod latent;
mod layers;
pub mod lightgen;
pub mod mar;
mod model;
mod model_size;
mod models;
mod open;
mod ops;
mod peak_rate;
mod picture;
mod placeholder;
mod prompt;
mod published;
pub mod raster;
mod repository;
mod sha256;
mod spec;
mod temporary_files;
pub mod text;
pub mod trace;
pub mod vae;

pub use candle_core::Device;

pub use self::atomic_file::{AtomicFile, follow};
pub use self::compute::{Compute, ComputePath, Precision};
pub use self::device::{auto_device, device, device_kind, device_name};
pub use self::device_memory::{DeviceMemory, device_memory, synchronize};
pub use self::error::{BackendError, StackSize};
pub use self::executed_cost::executed;
pub use self::families::Families;
pub use self::family::{ModelFamily, OpenOptions};
pub use self::fingerprint::{fingerprint, fingerprint_in};
pub use self::judge::{Classification, Judge};
pub use self::latent::Canvas;
pub use self::model::{AnyModel, Model};
pub use self::model_size::Stack;
pub use self::models::{EMBEDDED, EmbeddedModel, Files, Found};
pub use self::open::{grid_for, open, open_lightgen, open_mar, published, spec};
pub use self::peak_rate::{PeakRate, set_threads, threads};
pub use self::picture::Picture;
pub use self::placeholder::{PLACEHOLDER_BYTES, placeholder};
pub use self::prompt::PromptInput;
pub use self::published::{PublishedCost, published_cost};
pub use self::repository::{IN_REPOSITORY, RepositoryModel};
pub use self::spec::ModelSpec;
pub use self::temporary_files::{Unfinished, remove_unfinished};
pub use self::text::TextEncoder;
