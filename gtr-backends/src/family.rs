//! What a family of models is: how its models are recognised, what they cost, and how they are opened.

use std::fmt::Debug;

use gtr_core::Grid;
use serde_json::{Map, Value};

use crate::checkpoint::Kind;
use crate::latent::LatentImage;
use crate::model::AnyModel;
use crate::models::{Files, Found};
use crate::sizes::Stack;
use crate::spec::ModelSpec;
use crate::{BackendError, Compute};

/// A family of models. It is one type in a file or folder of its own, and one line in a list: in
/// [`Families::builtin`](crate::Families::builtin), or [`Families::with`](crate::Families::with) in a program that adds its own.
pub trait ModelFamily: Debug + Send + Sync {
    /// The name, in lower case.
    fn name(&self) -> &'static str;

    /// The models that are known by name.
    fn published(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a `config.json` describes a model of this family. It is asked before the file is read in full, so a field that
    /// only this family has decides.
    fn recognises(&self, config: &Map<String, Value>) -> bool {
        let _ = config;
        false
    }

    /// How a checkpoint of this family is told from others, if it can be.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// The encoder of a model that is known by name.
    fn encoder_of(&self, published: &str) -> Option<Stack> {
        let _ = published;
        None
    }

    /// What an autoencoder for models of this family looks like on disk, for messages.
    fn autoencoder(&self) -> &'static str {
        "a file or a folder"
    }

    /// What is known of a model without its weights.
    ///
    /// # Errors
    /// [`BackendError::Config`] for a configuration that is not possible.
    fn spec(&self, found: &Found) -> Result<ModelSpec, BackendError>;

    /// The latent images that a model generates, for those who measure pictures as it sees them.
    ///
    /// # Errors
    /// [`BackendError::Config`] for a configuration that is not possible, or if the family has no latent images.
    fn latent_image(&self, found: &Found) -> Result<LatentImage, BackendError> {
        let reason = format!("models of the family `{}` generate no latent images", self.name());
        Err(BackendError::Config { model: found.model().to_owned(), reason })
    }

    /// The token grid of a model for pictures of this height and width in pixels.
    ///
    /// # Errors
    /// [`BackendError::OneSize`] for a family whose models are made for one size, or what is wrong with the size.
    fn grid_for(&self, found: &Found, height: u32, width: u32) -> Result<Grid, BackendError> {
        let _ = (height, width);
        Err(BackendError::OneSize { model: found.model().to_owned() })
    }

    /// Opens a model.
    ///
    /// # Errors
    /// What is missing or wrong in its files.
    fn open(&self, found: &Found, options: &OpenOptions<'_>) -> Result<AnyModel, BackendError>;
}

/// How a model is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions<'a> {
    /// Its files, where they are not its own.
    pub files: Files<'a>,
    /// Where it computes, and in which type.
    pub compute: Compute,
    /// Width of the text encoder, if it is known: random weights are made to fit it, others must.
    pub text_width: Option<usize>,
}

impl<'a> OpenOptions<'a> {
    /// The model's own files, or those that are given.
    pub fn new(files: Files<'a>, compute: impl Into<Compute>) -> Self {
        Self { files, compute: compute.into(), text_width: None }
    }

    /// Sets [`OpenOptions::text_width`].
    #[must_use]
    pub fn with_text_width(self, text_width: Option<usize>) -> Self {
        Self { text_width, ..self }
    }
}
