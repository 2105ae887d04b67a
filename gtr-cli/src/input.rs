//! Opens input files. `-` is standard input; a file with this name is `./-`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use gtr_backends::raster::Raster;

use crate::error::CliError;
use crate::reading;

/// Largest amount of data that is buffered from a pipe, in bytes.
const MOST_PIPED: u64 = 1 << 28;

/// A seekable reader, as required by image decoders.
pub(crate) trait Seekable: BufRead + Seek {}

impl<T: BufRead + Seek> Seekable for T {}

/// Returns true if a path is `-`, which stands for standard input or standard output.
pub(crate) fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens a file, or standard input.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, CliError> {
    if is_stream(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(|error| reading::failed(path, &error))?))
}

/// Opens a file, or buffers a pipe or standard input in memory.
pub(crate) fn seekable(path: &Path) -> Result<Box<dyn Seekable>, CliError> {
    let is_file = !is_stream(path) && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file {
        return Ok(Box::new(BufReader::new(File::open(path).map_err(|error| reading::failed(path, &error))?)));
    }
    let mut bytes = Vec::new();
    open(path)?.take(MOST_PIPED + 1).read_to_end(&mut bytes).map_err(|error| reading::failed(path, &error))?;
    if bytes.len() as u64 > MOST_PIPED {
        let most = MOST_PIPED >> 20;
        return Err(CliError::Failure(format!(
            "{} is not a regular file and has more than {most} MiB",
            path.display()
        )));
    }
    Ok(Box::new(Cursor::new(bytes)))
}

/// Reads an image from a file or from standard input.
pub(crate) fn picture(path: &Path) -> Result<Raster, CliError> {
    if !is_stream(path) {
        return Ok(Raster::read(path)?);
    }
    let mut bytes = Vec::new();
    seekable(path)?.read_to_end(&mut bytes).map_err(|error| reading::failed(path, &error))?;
    Ok(Raster::from_png("-", &bytes)?)
}
