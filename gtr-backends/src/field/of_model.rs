//! The field that is distributed with a model.

use std::path::Path;

use gtr_core::loss::Measured;

use super::{FILE, FieldFile};
use crate::BackendError;
use crate::models::embedded;

/// Returns the field of a model by name or path: a built-in field, or `field.safetensors` in the model's folder. The
/// field has the name of the model. Returns `None` if the model has no field.
///
/// # Errors
/// Those of [`FieldFile::read`] and [`FieldFile::measured`].
///
/// # Examples
/// ```
/// let field = gtr_backends::field::of_model("digits")?.unwrap();
/// assert_eq!((field.grid().tokens(), field.channels()), (64, 16));
/// assert_eq!(gtr_backends::field::of_model("mar-h")?, None);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn of_model(model: &str) -> Result<Option<Measured>, BackendError> {
    if let Some(embedded) = embedded(model) {
        let Some(bytes) = embedded.field else { return Ok(None) };
        let file = FieldFile::from_bytes(&format!("the field of the built-in model {model}"), bytes)?;
        return file.measured(model).map(Some);
    }
    let path = Path::new(model);
    let folder = if path.is_dir() { Some(path) } else { path.parent().filter(|_| path.is_file()) };
    match folder.map(|folder| folder.join(FILE)).filter(|file| file.is_file()) {
        Some(file) => FieldFile::read(&file)?.measured(&file.display().to_string()).map(Some),
        None => Ok(None),
    }
}
