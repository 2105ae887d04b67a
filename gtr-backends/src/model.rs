//! A model of any family, opened.

use std::fmt::Debug;

use candle_core::Tensor;
use gtr_core::Grid;
use gtr_core::erased::{AnyCanvas, AnyGenerator, AnyPrompt, ErasedGenerator, Foreign};

use crate::checkpoint::Section;
use crate::diffusion::Conditions;
use crate::latent::{Backbone, Canvas, LatentGenerator};
use crate::prompt::PromptInput;
use crate::spec::ModelSpec;
use crate::vae::KlEncoder;
use crate::{BackendError, Picture};

/// What every opened model can do beside generating: a [`gtr_core::MaskedGenerator`] whose prompts and canvases have no type
/// of their own. [`LatentGenerator`] is one for every [`Backbone`].
pub trait Model:
    ErasedGenerator<Features = Conditions, Tokens = Tensor, Image = Picture, Error = BackendError> + Debug + Send
{
    /// Its sizes, and how it is used.
    fn spec(&self) -> ModelSpec;

    /// Which part of its checkpoint the weights are.
    fn section(&self) -> &Section;

    /// Height, width and channels of its pictures.
    fn shape(&self) -> [usize; 3];

    /// The prompt that an image is asked for by.
    ///
    /// # Errors
    /// [`BackendError::PromptKind`] for a kind of prompt that the model does not take, else what is wrong with it.
    fn prompt(&self, input: &PromptInput) -> Result<AnyPrompt, BackendError>;

    /// The prompt of a class.
    ///
    /// # Errors
    /// As [`Model::prompt`].
    fn class(&self, class: u32) -> Result<AnyPrompt, BackendError> {
        self.prompt(&PromptInput::Class(class))
    }

    /// The classes of a list of names, as [`Class::listed`](crate::mar::Class::listed) reads it.
    ///
    /// # Errors
    /// [`BackendError::ClassName`] for a name that no class has.
    fn classes_named(&self, names: &[&str]) -> Result<Vec<u32>, BackendError> {
        match names {
            [] => Ok(Vec::new()),
            [name, ..] => Err(BackendError::ClassName { name: (*name).to_owned(), close: Vec::new() }),
        }
    }

    /// The inverse of [`Model::prompt`]: what a trace records of a prompt.
    ///
    /// # Errors
    /// [`BackendError::Foreign`] for a prompt of another model, [`BackendError::Untraceable`] for a model that cannot be traced.
    fn recorded(&self, prompt: &AnyPrompt) -> Result<PromptInput, BackendError> {
        let _ = prompt;
        Err(BackendError::Untraceable("runs of this model cannot be traced: it does not tell its prompts".to_owned()))
    }

    /// The values of the tokens of a canvas that are known, in the order in which they became known: `[images, known,
    /// channels]`. `None` before the first step, and for a model that cannot be traced.
    fn known_values<'c>(&self, canvas: &'c AnyCanvas) -> Option<&'c Tensor> {
        let _ = canvas;
        None
    }

    /// Whether there is all that it takes to make pictures: models of latents need an autoencoder.
    fn makes_pictures(&self) -> bool {
        true
    }

    /// Operations that making a picture of an image's tokens takes, a multiplication and an addition being two.
    fn picture_operations(&self) -> f64 {
        0.0
    }

    /// Takes the model to another grid.
    ///
    /// # Errors
    /// [`BackendError::OneGrid`] for a model that is made for one grid.
    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        let spec = self.spec();
        Err(BackendError::OneGrid { model: "the model".to_owned(), own: spec.grid, asked: grid })
    }

    /// Adds the encoder of an autoencoder, so that the model can go on from pictures.
    ///
    /// # Errors
    /// [`BackendError::Config`] if it does not fit the model, or if the model has no use for one.
    fn set_encoder(&mut self, encoder: KlEncoder) -> Result<(), BackendError> {
        let _ = encoder;
        let reason = "the model takes no encoder of an autoencoder".to_owned();
        Err(BackendError::Config { model: "the model".to_owned(), reason })
    }
}

/// A model of any family, which [`open`](fn@crate::open) gives. The methods of [`Model`] are called on it.
pub type AnyModel = AnyGenerator<dyn Model>;

impl<B: Backbone + 'static> Model for LatentGenerator<B> {
    fn spec(&self) -> ModelSpec {
        self.model().spec()
    }

    fn section(&self) -> &Section {
        self.section()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape()
    }

    fn prompt(&self, input: &PromptInput) -> Result<AnyPrompt, BackendError> {
        self.model().prompt(input).map(AnyPrompt::new)
    }

    fn classes_named(&self, names: &[&str]) -> Result<Vec<u32>, BackendError> {
        self.model().classes_named(names)
    }

    fn recorded(&self, prompt: &AnyPrompt) -> Result<PromptInput, BackendError> {
        let prompt = prompt.get::<B::Prompt>().ok_or(Foreign { what: "prompt" })?;
        Ok(self.model().recorded(prompt))
    }

    fn known_values<'c>(&self, canvas: &'c AnyCanvas) -> Option<&'c Tensor> {
        canvas.get::<Canvas<B::Prompt>>()?.values()
    }

    fn makes_pictures(&self) -> bool {
        self.makes_pictures()
    }

    fn picture_operations(&self) -> f64 {
        self.picture_operations()
    }

    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        self.set_grid(grid)
    }

    fn set_encoder(&mut self, encoder: KlEncoder) -> Result<(), BackendError> {
        self.set_encoder(encoder)
    }
}
