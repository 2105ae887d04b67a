//! Reads input files. `-` is standard input; a file with this name is `./-`.

use std::io::Read as _;
use std::path::Path;

use gtr_backends::raster::Raster;
pub(crate) use gtr_run::path::is_stream;
pub(crate) use gtr_run::reading::{Seekable, seekable};

use crate::error::CliError;

/// Reads an image from a file or from standard input.
pub(crate) fn picture(path: &Path) -> Result<Raster, CliError> {
    if !is_stream(path) {
        return Ok(Raster::read(path)?);
    }
    let mut bytes = Vec::new();
    seekable(path)?.read_to_end(&mut bytes).map_err(|error| gtr_run::reading::failed(path, &error))?;
    Ok(Raster::from_png("-", &bytes)?)
}
