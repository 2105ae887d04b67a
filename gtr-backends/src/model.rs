//! The interface of opened models of any family.

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

/// An opened model of any family: a [`gtr_core::MaskedGenerator`] with type-erased prompts and canvases, and the
/// methods that all models of this crate have. [`LatentGenerator`] implements it for every [`Backbone`].
pub trait Model:
    ErasedGenerator<Features = Conditions, Tokens = Tensor, Image = Picture, Error = BackendError> + Debug + Send
{
    /// Sizes and default settings.
    fn spec(&self) -> ModelSpec;

    /// Section of the checkpoint that the weights are from.
    fn section(&self) -> &Section;

    /// Height, width and channels of its images.
    fn shape(&self) -> [usize; 3];

    /// Converts an input to a prompt of this model.
    ///
    /// # Errors
    /// [`BackendError::PromptKind`] for a kind of prompt that the model does not take; otherwise an error of the input.
    fn prompt(&self, input: &PromptInput) -> Result<AnyPrompt, BackendError>;

    /// Returns the prompt of a class.
    ///
    /// # Errors
    /// Those of [`Model::prompt`].
    fn class(&self, class: u32) -> Result<AnyPrompt, BackendError> {
        self.prompt(&PromptInput::Class(class))
    }

    /// Looks up a list of class names, with the rules of [`Class::listed`](crate::mar::Class::listed).
    ///
    /// # Errors
    /// [`BackendError::ClassName`] for an unknown name.
    fn classes_named(&self, names: &[&str]) -> Result<Vec<u32>, BackendError> {
        match names {
            [] => Ok(Vec::new()),
            [name, ..] => Err(BackendError::ClassName { name: (*name).to_owned(), close: Vec::new() }),
        }
    }

    /// The inverse of [`Model::prompt`]: returns the input that a trace records.
    ///
    /// # Errors
    /// [`BackendError::Foreign`] for a prompt of another model, [`BackendError::Untraceable`] for a model that cannot
    /// be traced.
    fn recorded(&self, prompt: &AnyPrompt) -> Result<PromptInput, BackendError> {
        let _ = prompt;
        Err(BackendError::Untraceable("runs of this model cannot be traced: it does not record its prompts".to_owned()))
    }

    /// Returns the values of the known tokens of a canvas in the order of generation, `[images, known, channels]`.
    /// Returns `None` before the first step, and for a model that cannot be traced.
    fn known_values<'c>(&self, canvas: &'c AnyCanvas) -> Option<&'c Tensor> {
        let _ = canvas;
        None
    }

    /// Returns true if the model can decode images: models of latents need an autoencoder.
    fn makes_pictures(&self) -> bool {
        true
    }

    /// Number of operations of decoding one image; a multiplication and an addition are two operations.
    fn picture_operations(&self) -> f64 {
        0.0
    }

    /// Changes the grid.
    ///
    /// # Errors
    /// [`BackendError::OneGrid`] for a model with one fixed grid.
    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        let spec = self.spec();
        Err(BackendError::OneGrid { model: "the model".to_owned(), own: spec.grid, asked: grid })
    }

    /// Adds the encoder of an autoencoder, so that the model can start from images.
    ///
    /// # Errors
    /// [`BackendError::Config`] if it does not fit the model, or if the model does not use one.
    fn set_encoder(&mut self, encoder: KlEncoder) -> Result<(), BackendError> {
        let _ = encoder;
        let reason = "the model does not use an autoencoder".to_owned();
        Err(BackendError::Config { model: "the model".to_owned(), reason })
    }
}

/// A model of any family, as returned by [`open`](fn@crate::open). It has the methods of [`Model`].
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
