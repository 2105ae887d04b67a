//! Implementation of the generator for MAR.

use candle_core::{Device, Tensor};
use gtr_core::{StepContext, Targets};
use rayon::prelude::*;

use super::config::{Class, MarConfig};
use super::model::{MarModel, Sequence};
use super::reuse::Kept;
use crate::diffusion::{Conditions, DiffusionHead};
use crate::error::Context;
use crate::latent::{Backbone, Canvas, LatentGenerator, PixelFormat, TokenLayout};
use crate::layers::concatenate;
use crate::prompt::PromptInput;
use crate::spec::ModelSpec;
use crate::{BackendError, ComputePath};

/// A MAR model as a generator of images.
pub type MarGenerator = LatentGenerator<MarModel>;

impl LatentGenerator<MarModel> {
    /// Configuration of the model.
    pub fn config(&self) -> &MarConfig {
        self.model().config()
    }

    /// Returns a class of this model.
    ///
    /// # Errors
    /// [`BackendError::Class`] if the model does not have this class.
    pub fn class(&self, class: u32) -> Result<Class, BackendError> {
        Class::new(class, self.config())
    }

    /// Returns the class of this model with this name.
    ///
    /// # Errors
    /// Those of [`Class::named`].
    pub fn class_named(&self, name: &str) -> Result<Class, BackendError> {
        Class::named(name, self.config())
    }
}

impl Backbone for MarModel {
    type Prompt = Class;

    fn name(&self) -> &str {
        &self.config().name
    }

    fn spec(&self) -> ModelSpec {
        self.config().spec()
    }

    fn tokens(&self) -> TokenLayout {
        self.config().latent()
    }

    fn pixel_format(&self) -> PixelFormat {
        self.config().pixel_format()
    }

    fn device(&self) -> &Device {
        self.device()
    }

    fn head(&self) -> &DiffusionHead {
        self.head()
    }

    /// A class may belong to another model.
    fn check(&self, class: &Class) -> Result<(), BackendError> {
        Class::new(class.get(), self.config()).map(drop)
    }

    fn reuses(&self) -> bool {
        true
    }

    fn conditions(
        &self,
        canvas: &mut Canvas<Class>,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Conditions, BackendError> {
        let cached = step.reuse.and_then(|reuse| reuse.cached);
        if cached.is_some() || step.keeps {
            return self.reusing(canvas, targets, step, cached);
        }
        // A step after this one must not take what an earlier one has kept.
        drop(canvas.take_kept::<Kept>());
        let guided = canvas.guided() && step.is_guided();
        let (wanted, per_image) = (canvas.positions(targets)?, targets.per_image());
        let known = canvas.known()?;
        let half = |conditional: bool| {
            let pictures = canvas.prompts().iter().zip(&known).zip(wanted.chunks_exact(per_image));
            pictures.map(move |((class, (values, known)), targets)| {
                let class = class.filter(|_| conditional).map(Class::get);
                (Sequence { class, known, targets }, values.clone())
            })
        };
        let mut sequences: Vec<_> = half(true).collect();
        if guided {
            sequences.extend(half(false));
        }
        let groups = match self.compute().path() {
            // Sequences are computed separately and in parallel.
            ComputePath::Host => {
                sequences.par_chunks(1).map(|group| self.vectors(group)).collect::<Result<Vec<_>, _>>()?
            }
            ComputePath::Device => vec![self.vectors(&sequences)?],
        };
        let vectors = concatenate(&groups).context("joining conditioning vectors")?;
        let rows = wanted.len();
        let half = |half: usize| vectors.narrow(0, half * rows, rows).context("splitting the halves");
        Ok(Conditions { conditional: half(0)?, unconditional: guided.then(|| half(1)).transpose()? })
    }

    fn prompt(&self, input: &PromptInput) -> Result<Class, BackendError> {
        match input {
            PromptInput::Class(class) => Class::new(*class, self.config()),
            _ => Err(BackendError::PromptKind { model: self.name().to_owned(), takes: "classes", found: input.kind() }),
        }
    }

    fn recorded(&self, class: &Class) -> PromptInput {
        PromptInput::Class(class.get())
    }

    fn classes_named(&self, names: &[&str]) -> Result<Vec<u32>, BackendError> {
        Ok(Class::listed(names, self.config())?.into_iter().map(Class::get).collect())
    }
}

impl MarModel {
    /// Returns the conditioning vectors of sequences, `[sequences * targets, width]`. Each sequence comes with the
    /// values of its known tokens.
    fn vectors(&self, sequences: &[(Sequence<'_>, Option<Tensor>)]) -> Result<Tensor, BackendError> {
        let values: Vec<Tensor> = sequences.iter().filter_map(|(_, values)| values.clone()).collect();
        let values = if values.is_empty() { None } else { Some(concatenate(&values).context("joining known tokens")?) };
        let sequences: Vec<_> = sequences.iter().map(|(sequence, _)| *sequence).collect();
        let encoded = self.encode(&sequences, values.as_ref())?;
        let vectors = self.decode(&sequences, &encoded)?; // (sequences, targets, width)
        vectors.flatten_to(1).context("computing the decoder")
    }
}
