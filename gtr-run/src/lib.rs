//! Runs of the models of [`gtr_backends`]: the images of a run, their files and metadata, and runs of many images in shards that can
//! be interrupted, resumed and merged.
//!
//! | module | contents |
//! |---|---|
//! | [`series`] | the images of a run, on a sheet or in a folder; their metadata, written, read back and converted to arguments |
//! | [`bulk`] | runs of many images: shards, locks, manifests, merging |
//! | [`target`], [`folder`] | files that are written completely or not at all; folders |
//! | [`reading`], [`npz`] | untrusted input files, read with size limits |
//! | [`picture`], [`animation`] | 8-bit images, as PNG, GIF and animated PNG |
//! | [`path`], [`arguments`] | properties of paths; command lines that reproduce images |
//!
//! This crate installs no signal handlers and prints nothing: the caller passes in an [`Interrupt`], which reports stop requests, and
//! [`Notes`], which receive messages. Traces and their replay are in [`gtr_backends::trace`] and [`gtr_backends::conform`].
//!
//! # Examples
//! Samples a digit and writes it as a PNG file:
//! ```
//! use gtr_core::sampler::{Job, Settings};
//! use gtr_core::{Guidance, ImageIndex, MaskedGenerator, Registry, Sampler, Seed, preset};
//! use gtr_run::Target;
//! use gtr_run::picture::Bitmap;
//!
//! let mut generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
//! let registry = Registry::builtin();
//! let plan = preset::find("gtr-8")?.schedule.plan(generator.grid(), &registry)?.plan;
//! let settings = Settings { seed: Seed(1), guidance: Guidance::NONE, temperature: 1.0 };
//! let jobs = [Job::new(generator.class(7)?, ImageIndex(0))];
//! let pictures = Sampler::new(&plan, &registry)?.batch(&jobs, &settings).run(&mut generator)?;
//!
//! let folder = tempfile::tempdir()?;
//! let target = Target::new(&folder.path().join("seven.png"))?;
//! target.write(&Bitmap::of(&pictures[0], 8).png(&[])?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod animation;
pub mod arguments;
pub mod bulk;
mod error;
pub mod folder;
mod interrupt;
mod notes;
pub mod npz;
pub mod path;
pub mod picture;
pub mod reading;
pub mod series;
pub mod target;

pub use self::error::{Error, Interruption, chain};
pub use self::interrupt::Interrupt;
pub use self::notes::Notes;
pub use self::target::Target;
