//! The interface of a model family: recognises, describes and opens its models.

use std::fmt::Debug;

use gtr_core::Grid;
use serde_json::{Map, Value};

use crate::checkpoint::Kind;
use crate::latent::LatentImage;
use crate::model::AnyModel;
use crate::model_size::Stack;
use crate::models::{Files, Found};
use crate::spec::ModelSpec;
use crate::{BackendError, Compute};

/// A family of models. A new family is one type and one entry in a list: in `family_table.rs`, or by
/// [`Families::with`](crate::Families::with) in another program.
pub trait ModelFamily: Debug + Send + Sync {
    /// Name in lower case.
    fn name(&self) -> &'static str;

    /// Names of the published models.
    fn published(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns true if a `config.json` describes a model of this family. It is called before the file is validated, so
    /// it should check a field that only this family has.
    fn recognises(&self, config: &Map<String, Value>) -> bool {
        let _ = config;
        false
    }

    /// Kind by which checkpoints of this family are recognised, if any.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// Size of the encoder of a published model.
    fn encoder_of(&self, published: &str) -> Option<Stack> {
        let _ = published;
        None
    }

    /// Form of an autoencoder on disk, for messages.
    fn autoencoder(&self) -> &'static str {
        "a file or a folder"
    }

    /// Returns the description of a model without its weights.
    ///
    /// # Errors
    /// [`BackendError::Config`] for an invalid configuration.
    fn spec(&self, found: &Found) -> Result<ModelSpec, BackendError>;

    /// Returns the format of the latent images of a model. It is needed to convert images to tokens.
    ///
    /// # Errors
    /// [`BackendError::Config`] for an invalid configuration, or if the family has no latent images.
    fn latent_image(&self, found: &Found) -> Result<LatentImage, BackendError> {
        let reason = format!("models of the family `{}` generate no latent images", self.name());
        Err(BackendError::Config { model: found.model().to_owned(), reason })
    }

    /// Returns the token grid of a model for images of this height and width in pixels.
    ///
    /// # Errors
    /// [`BackendError::OneSize`] for a family whose models have one size; otherwise an error of the size.
    fn grid_for(&self, found: &Found, height: u32, width: u32) -> Result<Grid, BackendError> {
        let _ = (height, width);
        Err(BackendError::OneSize { model: found.model().to_owned() })
    }

    /// Opens a model.
    ///
    /// # Errors
    /// An error of its files.
    fn open(&self, found: &Found, options: &OpenOptions<'_>) -> Result<AnyModel, BackendError>;
}

/// Options of opening a model.
#[derive(Clone, Debug)]
pub struct OpenOptions<'a> {
    /// Files that replace those of the model.
    pub files: Files<'a>,
    /// Device and precision.
    pub compute: Compute,
    /// Width of the text encoder, if known. Random weights are created for this width; other weights must match it.
    pub text_width: Option<usize>,
}

impl<'a> OpenOptions<'a> {
    /// Creates options without a known text width.
    pub fn new(files: Files<'a>, compute: impl Into<Compute>) -> Self {
        Self { files, compute: compute.into(), text_width: None }
    }

    /// Sets [`OpenOptions::text_width`].
    #[must_use]
    pub fn with_text_width(self, text_width: Option<usize>) -> Self {
        Self { text_width, ..self }
    }
}
