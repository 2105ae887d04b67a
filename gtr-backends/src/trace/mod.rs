//! Traces: all that decides a run, and what came of it, in one safetensors file.
//!
//! [`Tracer::run`] samples as [`Batch::run`](gtr_core::sampler::Batch::run) does, the same bits, and records orders, masks, conditioning vectors, noises
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
//! let jobs = [Job::new(generator.class(7)?, ImageIndex(0))];
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("seven.safetensors");
//! let provenance = Provenance { model: "digits".into(), ..Provenance::default() };
//! let mut tracer = Tracer::create(&path, &plan, &settings, &provenance)?;
//! tracer.run(&Sampler::new(&plan, &registry)?, &mut generator, &jobs, &mut ())?;
//! tracer.finish()?;
//! assert!(conform(&[path], &Options::default(), &registry, &gtr_backends::Families::builtin())?.passed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod description;
mod noise;
mod reader;
mod tracer;

use candle_core::Tensor;
use gtr_core::MaskedGenerator;
use gtr_core::erased::{AnyCanvas, AnyPrompt};

pub use self::description::Description;
pub use self::reader::{Batch, StepRecord, Trace};
pub use self::tracer::{Provenance, Tracer};
use crate::diffusion::Conditions;
use crate::latent::{Backbone, Canvas, LatentGenerator};
use crate::model::AnyModel;
use crate::prompt::PromptInput;
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
    fn known_values<'c>(&self, canvas: &'c Self::Canvas) -> Option<&'c Tensor>;

    /// What an image was asked for by: a class or an embedded text.
    ///
    /// # Errors
    /// A prompt of another model, or a model that cannot be traced.
    fn recorded(&self, prompt: &Self::Prompt) -> Result<PromptInput, BackendError>;
}

impl<B: Backbone> Traced for LatentGenerator<B> {
    fn known_values<'c>(&self, canvas: &'c Canvas<B::Prompt>) -> Option<&'c Tensor> {
        canvas.values()
    }

    fn recorded(&self, prompt: &B::Prompt) -> Result<PromptInput, BackendError> {
        Ok(self.model().recorded(prompt))
    }
}

impl Traced for AnyModel {
    fn known_values<'c>(&self, canvas: &'c AnyCanvas) -> Option<&'c Tensor> {
        (**self).known_values(canvas)
    }

    fn recorded(&self, prompt: &AnyPrompt) -> Result<PromptInput, BackendError> {
        (**self).recorded(prompt)
    }
}
