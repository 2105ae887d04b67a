//! Files from outside: what is said of those that cannot be read, in one voice. The file comes first, then what is wrong, then
//! what to do.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use gtr_backends::{STAND_IN_BYTES, stand_in};
use gtr_core::unmarked;

use crate::Error;
use crate::error::chain;
use crate::path::is_stream;

/// A pipe is read to at most so many bytes where what it holds must be read more than once.
const MOST_PIPED: u64 = 1 << 28;

/// What can be read from any place, as decoders of pictures want it.
pub trait Seekable: BufRead + Seek {}

impl<T: BufRead + Seek> Seekable for T {}

/// Opens a file, or standard input where the path is `-`.
///
/// # Errors
/// [`Error::Failure`] if it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    if is_stream(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).map_err(|error| failed(path, &error))?))
}

/// Opens a file, or reads a pipe or standard input whole.
///
/// # Errors
/// [`Error::Failure`] if it cannot be opened or read, or is no file and has more than 256 MB.
pub fn seekable(path: &Path) -> Result<Box<dyn Seekable>, Error> {
    let is_file = !is_stream(path) && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file {
        return Ok(Box::new(BufReader::new(File::open(path).map_err(|error| failed(path, &error))?)));
    }
    let mut bytes = Vec::new();
    open(path)?.take(MOST_PIPED + 1).read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > MOST_PIPED {
        let most = MOST_PIPED >> 20;
        return Err(Error::Failure(format!("{} is no file and has more than {most} MB", path.display())));
    }
    Ok(Box::new(Cursor::new(bytes)))
}

/// Opens a file in a folder that others may have filled: opening a pipe there would wait for whoever writes to it.
///
/// # Errors
/// Those of the system; also of what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
}

/// The bytes of such a file.
///
/// # Errors
/// Those of [`open_regular`], and of reading.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file cannot be read: it is something else than it should be, or the system says why.
pub fn failed(path: &Path, error: &dyn StdError) -> Error {
    let shown = path.display();
    Error::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read: {}", chain(error)),
    })
}

/// A file is not of the kind that it should be.
pub fn not_a(kind: &str, path: &Path, error: &dyn StdError) -> Error {
    let shown = path.display();
    Error::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read as {kind}: {}", chain(error)),
    })
}

/// What a file is instead of what it should be, where that is known.
pub fn instead(path: &Path) -> Option<String> {
    // Of a pipe nothing is left, and a device may have no end.
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(STAND_IN_BYTES as u64).read_to_end(&mut start).ok()?;
    stand_in(&start)
}

/// The bytes of a text file of at most `most`, without a byte order mark.
///
/// # Errors
/// [`Error::Failure`] if the file cannot be read, is larger, or holds something else than it should: a pointer of Git LFS, a web page.
pub fn text(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    text_of(path, open(path)?, most)
}

/// The same of a file that is open.
///
/// # Errors
/// Those of [`text`].
pub fn text_of(path: &Path, file: impl Read, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, &error))?;
    let wrong = |what: String| Error::Failure(format!("{}: {what}", path.display()));
    if bytes.len() as u64 > most {
        return Err(wrong(format!("it has more than {} MB, which is more than is read", most >> 20)));
    }
    // Of an empty file the reader knows better what is missing.
    match stand_in(&bytes).filter(|_| !bytes.is_empty()) {
        Some(what) => Err(wrong(what)),
        None => Ok(unmarked(&bytes).map_err(|error| wrong(error.to_string()))?.to_vec()),
    }
}
