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

/// Opens a model of any built-in family by its name or path. A path is a checkpoint (`.safetensors`, `.pth`) with a
/// `config.json` in the same folder, or a folder with both. `weights` replaces the checkpoint of the model.
/// [`Families::open`] takes more options and other families.
///
/// # Errors
/// [`BackendError::UnknownModel`] for another name; otherwise an error of its files.
///
/// # Examples
/// ```
/// let model = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
/// assert_eq!(model.spec().classes, Some(10));
/// let error = gtr_backends::open("digit", None, &gtr_backends::Device::Cpu).unwrap_err();
/// assert!(error.to_string().contains("expected digits"));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn open(model: &str, weights: Option<&Path>, compute: impl Into<Compute>) -> Result<AnyModel, BackendError> {
    let files = Files { weights, ..Files::default() };
    Families::builtin().open(model, &OpenOptions::new(files, compute))
}

/// Opens a class-conditional model: a built-in model, `mar-b`, `mar-l`, `mar-h`, or a path as in
/// [`open`](fn@crate::open).
///
/// For a published name, the number of classes and the sizes of buffer, grid, patch and head are read from the
/// checkpoint.
///
/// # Errors
/// [`BackendError::UnknownModel`] for another name; otherwise an error of its files.
pub fn open_mar(model: &str, files: &Files<'_>, compute: impl Into<Compute>) -> Result<MarGenerator, BackendError> {
    mar::open(&Families::builtin().find(model)?, &OpenOptions::new(*files, compute))
}

/// Opens a text-conditional model: `lightgen-base`, `lightgen-large`, `lightgen-huge`, or a path as in
/// [`open`](fn@crate::open). It generates on its default grid until [`set_grid`](LightGenGenerator::set_grid) changes
/// it.
///
/// `text_width` is the width of the text encoder, if known. Random weights are created for this width; other weights
/// must match it.
///
/// # Errors
/// [`BackendError::UnknownModel`] for another name; otherwise an error of its files.
pub fn open_lightgen(
    model: &str,
    files: &Files<'_>,
    text_width: Option<usize>,
    compute: impl Into<Compute>,
) -> Result<LightGenGenerator, BackendError> {
    let options = OpenOptions::new(*files, compute).with_text_width(text_width);
    lightgen::open(&Families::builtin().find(model)?, &options)
}

/// Returns the description of a model without its weights.
///
/// # Errors
/// Those of [`Families::spec`].
///
/// # Examples
/// ```
/// let spec = gtr_backends::spec("mar-h")?;
/// assert_eq!((spec.grid.tokens(), spec.arch.head.depth), (256, 12));
/// // Number of text tokens of a prompt, after padding or truncation.
/// assert_eq!(gtr_backends::spec("lightgen-large")?.arch.text.unwrap().length, 128);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn spec(model: &str) -> Result<ModelSpec, BackendError> {
    Families::builtin().spec(model)
}

/// Returns the token grid of a model for images of this height and width in pixels. Reads no weights.
///
/// # Errors
/// Those of [`Families::grid_for`].
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

/// Names of the published models. Their weights are not part of the program.
pub fn published() -> impl Iterator<Item = &'static str> {
    Families::builtin().published().collect::<Vec<_>>().into_iter()
}
