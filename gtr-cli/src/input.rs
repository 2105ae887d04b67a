//! What is read: files, or standard input where `-` is written. A file of that name is `./-`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use gtr_backends::raster::Raster;

use crate::error::CliError;
use crate::reading;

/// A pipe is read to at most so many bytes where what it holds must be read more than once.
const MOST_PIPED: u64 = 1 << 28;

/// What can be read from any place, as decoders of pictures want it.
pub(crate) trait Seekable: BufRead + Seek {}

impl<T: BufRead + Seek> Seekable for T {}

/// Whether a path is `-`: standard input where something is read, standard output where something is written.
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

/// Opens a file, or reads a pipe or standard input whole.
pub(crate) fn seekable(path: &Path) -> Result<Box<dyn Seekable>, CliError> {
    let is_file = !is_stream(path) && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file {
        return Ok(Box::new(BufReader::new(File::open(path).map_err(|error| reading::failed(path, &error))?)));
    }
    let mut bytes = Vec::new();
    open(path)?.take(MOST_PIPED + 1).read_to_end(&mut bytes).map_err(|error| reading::failed(path, &error))?;
    if bytes.len() as u64 > MOST_PIPED {
        let most = MOST_PIPED >> 20;
        return Err(CliError::Failure(format!("{} is no file and has more than {most} MB", path.display())));
    }
    Ok(Box::new(Cursor::new(bytes)))
}

/// Reads a picture from a file or from standard input.
pub(crate) fn picture(path: &Path) -> Result<Raster, CliError> {
    if !is_stream(path) {
        return Ok(Raster::read(path)?);
    }
    let mut bytes = Vec::new();
    seekable(path)?.read_to_end(&mut bytes).map_err(|error| reading::failed(path, &error))?;
    Ok(Raster::from_png("-", &bytes)?)
}
