//! Traces: all that decides a run, and what came of it, in one safetensors file.
//!
//! [`Tracer::run`] samples as [`Sampler::run`](gtr_core::Sampler::run) does, the same bits, and records orders, masks, conditioning vectors, noises
//! token values and timings. Names and shapes are those of `spec/TRACE.md`. [`Trace`] reads it back, [`conform`](crate::conform) makes
//! a traced run again.
//!
//! # Examples
//! ```
//! use gtr_backends::conform::{Options, conform};
//! use gtr_backends::trace::{Provenance, Tracer};
//! use gtr_core::sampler::{Job, Settings};
//! use gtr_core::{Grid, Guidance, ImageIndex, Registry, Sampler, Seed, preset};
//!
//! let mut generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
//! let registry = Registry::builtin();
//! let plan = preset::find("gtr-8")?.schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
//! let settings = Settings { seed: Seed(1), guidance: Guidance::NONE, temperature: 1.0 };
//! let jobs = [Job { prompt: generator.class(7)?, image: ImageIndex(0) }];
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("seven.safetensors");
//! let provenance = Provenance { model: "digits".into(), ..Provenance::default() };
//! let mut tracer = Tracer::create(&path, &plan, &settings, &provenance)?;
//! tracer.run(&Sampler::new(&plan, &registry)?, &mut generator, &jobs, &mut ())?;
//! tracer.finish()?;
//! assert!(conform(&[path], &Options::default(), &registry)?.passed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod description;
mod noise;
mod reader;
mod tracer;

use candle_core::Tensor;
use gtr_core::MaskedGenerator;

pub use self::description::Description;
pub use self::reader::{Batch, StepRecord, Trace};
pub use self::tracer::{Provenance, Tracer};
use crate::diffusion::Conditions;
use crate::lightgen::{self, LightGenGenerator, TextFeatures};
use crate::mar::{Canvas, Class, MarGenerator};
use crate::{BackendError, Picture};

/// What the metadata of a trace says under `format`.
pub const FORMAT: &str = "gtr-trace";
/// The version of the format that is written and read.
pub const VERSION: &str = "1";

/// A model whose runs can be traced.
pub trait Traced:
    MaskedGenerator<Features = Conditions, Tokens = Tensor, Image = Picture, Error = BackendError>
{
    /// The values of the tokens that are known, in the order in which they became known: `[images, known, channels]`;
    /// nothing before the first step.
    fn known_values(canvas: &Self::Canvas) -> Option<&Tensor>;

    /// What an image was asked for by.
    fn prompt(prompt: &Self::Prompt) -> Prompt;
}

/// What an image was asked for by, as a trace holds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Prompt {
    /// A class.
    Class(u32),
    /// The vectors of a text, `[length, width]`, as the model looks at them.
    Text(Tensor),
}

impl Traced for LightGenGenerator {
    fn known_values(canvas: &lightgen::Canvas) -> Option<&Tensor> {
        canvas.values()
    }

    fn prompt(prompt: &TextFeatures) -> Prompt {
        Prompt::Text(prompt.embedded().clone())
    }
}

impl Traced for MarGenerator {
    fn known_values(canvas: &Canvas) -> Option<&Tensor> {
        canvas.values()
    }

    fn prompt(prompt: &Class) -> Prompt {
        Prompt::Class(prompt.get())
    }
}
