//! Opens models of the built-in families by name or by path.

use std::path::Path;

use gtr_core::Grid;

use crate::families::Families;
use crate::family::OpenOptions;
use crate::lightgen::{self, LightGenGenerator};
use crate::mar::{self, MarGenerator};
use crate::model::AnyModel;
use crate::models::Files;
use crate::spec::ModelSpec;
use crate::{BackendError, Compute};

/// Opens a model of any built-in family: one of [`EMBEDDED`](crate::EMBEDDED) by its name, or a path. A path is a checkpoint
/// (`.safetensors`, `.pth`) with a `config.json` beside it, or a folder with both. `weights` is read instead of the model's
/// own weights. [`Families::open`] takes more options and more families.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is none of these; otherwise what is missing or wrong in its files.
///
/// # Examples
/// ```
/// let model = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
/// assert_eq!(model.spec().classes, Some(10));
/// let error = gtr_backends::open("digit", None, &gtr_backends::Device::Cpu).unwrap_err();
/// assert!(error.to_string().contains("neither built in (digits"));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn open(model: &str, weights: Option<&Path>, compute: impl Into<Compute>) -> Result<AnyModel, BackendError> {
    let files = Files { weights, ..Files::default() };
    Families::builtin().open(model, &OpenOptions::new(files, compute))
}

/// Opens a model of classes: one of [`EMBEDDED`](crate::EMBEDDED), `mar-b`, `mar-l`, `mar-h`, or a path as in
/// [`open`](fn@crate::open).
///
/// Sizes of a model asked for by its published name are those that the checkpoint tells, as far as the name leaves them open.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is none of these; otherwise what is missing or wrong in its files.
pub fn open_mar(model: &str, files: &Files<'_>, compute: impl Into<Compute>) -> Result<MarGenerator, BackendError> {
    mar::open(&Families::builtin().find(model)?, &OpenOptions::new(*files, compute))
}

/// Opens a model of texts: `lightgen-base`, `lightgen-large`, `lightgen-huge`, or a path: a checkpoint (`.safetensors`,
/// `.pth`) with a `config.json` beside it, or a folder with both. It generates on its own grid;
/// [`set_grid`](LightGenGenerator::set_grid) takes it to another.
///
/// `text_width` is the width of the text encoder, if it is known: random weights are made to fit it, others must.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is none of these; otherwise what is missing or wrong in its files.
pub fn open_lightgen(
    model: &str,
    files: &Files<'_>,
    text_width: Option<usize>,
    compute: impl Into<Compute>,
) -> Result<LightGenGenerator, BackendError> {
    let options = OpenOptions::new(*files, compute).with_text_width(text_width);
    lightgen::open(&Families::builtin().find(model)?, &options)
}

/// Looks up what is known of a model without its weights.
///
/// # Errors
/// As [`Families::spec`].
///
/// # Examples
/// ```
/// let spec = gtr_backends::spec("mar-h")?;
/// assert_eq!((spec.grid.tokens(), spec.arch.head.depth), (256, 12));
/// // How many tokens of the text encoder a prompt has, padded or cut.
/// assert_eq!(gtr_backends::spec("lightgen-large")?.arch.text.unwrap().length, 128);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn spec(model: &str) -> Result<ModelSpec, BackendError> {
    Families::builtin().spec(model)
}

/// The token grid of a model for pictures of this height and width in pixels; it reads no weights.
///
/// # Errors
/// As [`Families::grid_for`].
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::grid_for("lightgen-large", 256, 512)?.to_string(), "16x32");
/// assert!(gtr_backends::grid_for("lightgen-large", 17, 16).is_err());
/// assert!(gtr_backends::grid_for("mar-b", 512, 512).is_err());
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn grid_for(model: &str, height: u32, width: u32) -> Result<Grid, BackendError> {
    Families::builtin().grid_for(model, height, width)
}

/// The models that are known by name; their weights are not part of the program.
pub fn published() -> impl Iterator<Item = &'static str> {
    Families::builtin().published().collect::<Vec<_>>().into_iter()
}
