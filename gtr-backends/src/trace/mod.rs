//! Traces: all inputs and results of a run in one safetensors file.
//!
//! [`Tracer::run`] generates the same bits as [`Batch::run`](gtr_core::sampler::Batch::run), and records orders, masks,
//! conditioning vectors, noise, token values and timings. `spec/TRACE.md` defines names and shapes. [`Trace`] reads a
//! trace, [`conform`](crate::conform) replays it.
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

/// Value of `format` in the metadata of a trace.
pub const FORMAT: &str = "gtr-trace";
/// Version of the format that is written and read.
pub const VERSION: &str = "1";

/// A model whose runs can be traced.
pub trait Traced:
    MaskedGenerator<Features = Conditions, Tokens = Tensor, Image = Picture, Error = BackendError>
{
    /// Returns the values of the known tokens in the order of generation, `[images, known, channels]`; `None` before
    /// the first step.
    fn known_values<'c>(&self, canvas: &'c Self::Canvas) -> Option<&'c Tensor>;

    /// Returns the input that a trace records for a prompt: a class or an embedded text.
    ///
    /// # Errors
    /// If the prompt belongs to another model, or if the model cannot be traced.
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
