//! Reads input files. `-` is standard input; a file with this name is `./-`. All error messages have the same form: file, problem,
//! advice.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use gtr_backends::{PLACEHOLDER_BYTES, placeholder};
use gtr_core::unmarked;

use crate::Error;
use crate::error::chain;
use crate::path::is_stream;

/// Largest amount of data that is buffered from a pipe, in bytes.
const MOST_PIPED: u64 = 1 << 28;

/// A seekable reader, as required by image decoders.
pub trait Seekable: BufRead + Seek {}

impl<T: BufRead + Seek> Seekable for T {}

/// Opens a file, or standard input if the path is `-`.
///
/// # Errors
/// [`Error::Failure`] if it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    if is_stream(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(|error| failed(path, &error))?))
}

/// Opens a file, or buffers a pipe or standard input in memory.
///
/// # Errors
/// [`Error::Failure`] if it cannot be opened or read, or if it is not a regular file and has more than 256 MiB.
pub fn seekable(path: &Path) -> Result<Box<dyn Seekable>, Error> {
    let is_file = !is_stream(path) && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file {
        return Ok(Box::new(BufReader::new(File::open(path).map_err(|error| failed(path, &error))?)));
    }
    let mut bytes = Vec::new();
    open(path)?.take(MOST_PIPED + 1).read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > MOST_PIPED {
        let most = MOST_PIPED >> 20;
        return Err(Error::Failure(format!("{} is not a regular file and has more than {most} MiB", path.display())));
    }
    Ok(Box::new(Cursor::new(bytes)))
}

/// Opens a file in an untrusted folder. Only regular files are opened, because opening a pipe could block.
///
/// # Errors
/// If the file cannot be opened or is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Reads a regular file in an untrusted folder.
///
/// # Errors
/// Those of [`open_regular`], and errors while reading.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the error for a file that cannot be read. Identifies placeholder files, otherwise reports the system error.
pub fn failed(path: &Path, error: &dyn StdError) -> Error {
    let shown = path.display();
    Error::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read: {}", chain(error)),
    })
}

/// Returns the error for a file that is not of the expected kind.
pub fn not_a(kind: &str, path: &Path, error: &dyn StdError) -> Error {
    let shown = path.display();
    Error::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read as {kind}: {}", chain(error)),
    })
}

/// Identifies a placeholder file, such as a Git LFS pointer.
pub fn instead(path: &Path) -> Option<String> {
    // A pipe is already consumed, and a device may be endless.
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(PLACEHOLDER_BYTES as u64).read_to_end(&mut start).ok()?;
    placeholder(&start)
}

/// Reads a text file of at most `most` bytes and strips the byte order mark.
///
/// # Errors
/// [`Error::Failure`] if the file cannot be read, is larger, or is a placeholder file such as a Git LFS pointer or a web page.
pub fn text(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    text_of(path, open(path)?, most)
}

/// Like [`text`], for an open file.
///
/// # Errors
/// Those of [`text`].
pub fn text_of(path: &Path, file: impl Read, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, &error))?;
    let wrong = |what: String| Error::Failure(format!("{}: {what}", path.display()));
    if bytes.len() as u64 > most {
        return Err(wrong(format!("it is larger than {} MiB", most >> 20)));
    }
    // For an empty file the parser has a more specific message.
    match placeholder(&bytes).filter(|_| !bytes.is_empty()) {
        Some(what) => Err(wrong(what)),
        None => Ok(unmarked(&bytes).map_err(|error| wrong(error.to_string()))?.to_vec()),
    }
}
