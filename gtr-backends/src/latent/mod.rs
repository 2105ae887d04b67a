//! Models whose tokens are patches of a latent image: all that they share around their transformers.

mod canvas;
mod generator;
mod pixels;

use std::fmt::Debug;

use candle_core::Device;
use gtr_core::{Grid, Targets};

pub use self::canvas::{Canvas, Known, TokenLayout};
pub use self::generator::LatentGenerator;
pub use self::pixels::{LatentImage, PixelFormat};
use crate::BackendError;
use crate::diffusion::{Conditions, DiffusionHead};
use crate::prompt::PromptInput;
use crate::spec::ModelSpec;

/// The transformer of a model and its diffusion head: from prompts and known tokens to conditioning vectors.
/// [`LatentGenerator`] makes a [`gtr_core::MaskedGenerator`] of it.
pub trait Backbone: Debug + Send {
    /// What an image is asked for by: a class, an embedded text.
    type Prompt: Clone + Debug + Send + Sync + 'static;

    /// What the model is called, for messages.
    fn name(&self) -> &str;

    /// Its sizes, and how it is used.
    fn spec(&self) -> ModelSpec;

    /// How tokens make a latent image.
    fn tokens(&self) -> TokenLayout;

    /// How the latent image becomes pixels.
    fn pixel_format(&self) -> PixelFormat;

    /// Where it computes.
    fn device(&self) -> &Device;

    /// The diffusion head.
    fn head(&self) -> &DiffusionHead;

    /// Refuses a prompt that was made for another model.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, prompt: &Self::Prompt) -> Result<(), BackendError> {
        let _ = prompt;
        Ok(())
    }

    /// Encoder and decoder: the conditioning vectors of the targets, with the unconditional half where the canvas is guided.
    ///
    /// # Errors
    /// A failure of the device.
    fn conditions(&self, canvas: &Canvas<Self::Prompt>, targets: &Targets) -> Result<Conditions, BackendError>;

    /// The prompt that an image is asked for by.
    ///
    /// # Errors
    /// [`BackendError::PromptKind`] for a kind of prompt that the model does not take, else what is wrong with it.
    fn prompt(&self, input: &PromptInput) -> Result<Self::Prompt, BackendError>;

    /// The inverse of [`Backbone::prompt`]: what a trace records of a prompt.
    fn recorded(&self, prompt: &Self::Prompt) -> PromptInput;

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

    /// Takes the model to another grid.
    ///
    /// # Errors
    /// [`BackendError::OneGrid`] for a model that is made for one grid.
    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        Err(BackendError::OneGrid { model: self.name().to_owned(), own: self.tokens().grid, asked: grid })
    }
}
