//! Models whose tokens are patches of a latent image: everything that they share apart from their transformers.

mod canvas;
mod generator;
mod pixels;

use std::fmt::Debug;

use candle_core::Device;
use gtr_core::{Grid, StepContext, Targets};

pub use self::canvas::{Canvas, Known, TokenLayout};
pub use self::generator::LatentGenerator;
pub use self::pixels::{LatentImage, PixelFormat};
use crate::BackendError;
use crate::diffusion::{Conditions, DiffusionHead};
use crate::prompt::PromptInput;
use crate::spec::ModelSpec;

/// The transformer of a model and its diffusion head. Computes conditioning vectors from prompts and known tokens.
/// [`LatentGenerator`] implements [`gtr_core::MaskedGenerator`] for it.
pub trait Backbone: Debug + Send {
    /// Prompt of an image: a class or an embedded text.
    type Prompt: Clone + Debug + Send + Sync + 'static;

    /// Name of the model, for messages.
    fn name(&self) -> &str;

    /// Sizes and default settings.
    fn spec(&self) -> ModelSpec;

    /// Layout of tokens in a latent image.
    fn tokens(&self) -> TokenLayout;

    /// Conversion of the latent image to pixels.
    fn pixel_format(&self) -> PixelFormat;

    /// Device of the model.
    fn device(&self) -> &Device;

    /// Diffusion head.
    fn head(&self) -> &DiffusionHead;

    /// Refuses a prompt that was created for another model.
    ///
    /// # Errors
    /// An error of the prompt.
    fn check(&self, prompt: &Self::Prompt) -> Result<(), BackendError> {
        let _ = prompt;
        Ok(())
    }

    /// Returns true if [`Backbone::conditions`] follows [`StepContext::reuse`].
    fn reuses(&self) -> bool {
        false
    }

    /// Runs encoder and decoder. Returns the conditioning vectors of the targets, with the unconditional half if the
    /// canvas and the step are guided. What later steps take is kept in the canvas ([`Canvas::keep`]).
    ///
    /// # Errors
    /// [`BackendError::Request`] if the step takes something that is not kept; a failure of the device.
    fn conditions(
        &self,
        canvas: &mut Canvas<Self::Prompt>,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Conditions, BackendError>;

    /// Converts an input to a prompt of this model.
    ///
    /// # Errors
    /// [`BackendError::PromptKind`] for a kind of prompt that the model does not take; otherwise an error of the input.
    fn prompt(&self, input: &PromptInput) -> Result<Self::Prompt, BackendError>;

    /// The inverse of [`Backbone::prompt`]: returns the input that a trace records.
    fn recorded(&self, prompt: &Self::Prompt) -> PromptInput;

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

    /// Changes the grid.
    ///
    /// # Errors
    /// [`BackendError::OneGrid`] for a model with one fixed grid.
    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        Err(BackendError::OneGrid { model: self.name().to_owned(), own: self.tokens().grid, asked: grid })
    }
}
