//! Runs of the models of [`gtr_backends`]: which images they make, where these go, what their files record, and how many of them are made
//! in parts that can be stopped, killed and continued.
//!
//! | module | what it has |
//! |---|---|
//! | [`series`] | the images of a run, on a sheet or in a folder; their record, read back and turned into arguments |
//! | [`bulk`] | many images: parts, locks, manifests, joining |
//! | [`target`], [`folder`] | files that appear whole or not at all, folders |
//! | [`reading`], [`npz`] | files from outside, with bounds |
//! | [`picture`], [`animation`] | pictures in bytes, as PNG, GIF and animated PNG |
//! | [`path`], [`arguments`] | what names of files say; command lines to be run again |
//!
//! Nothing here reads a clock to decide, installs a signal handler or prints: an [`Interrupt`] tells when to stop, [`Notes`] take
//! remarks. Traces, and their replay, are with the models that they record: [`gtr_backends::trace`], [`gtr_backends::conform`].
//!
//! # Examples
//! A digit, written with its record:
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
//! let jobs = [Job { prompt: generator.class(7)?, image: ImageIndex(0) }];
//! let pictures = Sampler::new(&plan, &registry)?.run(&mut generator, &jobs, &settings, &mut ())?;
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
