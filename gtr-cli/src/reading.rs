//! Error messages for input files, in a uniform form: file, problem, advice.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use gtr_backends::{STAND_IN_BYTES, stand_in};
use gtr_core::unmarked;

use crate::error::{CliError, chain};
use crate::input;

/// Error for a file that cannot be read. Identifies placeholder files, otherwise reports the system error.
pub(crate) fn failed(path: &Path, error: &dyn Error) -> CliError {
    let shown = path.display();
    CliError::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read: {}", chain(error)),
    })
}

/// Error for a file that is not of the expected kind.
pub(crate) fn not_a(kind: &str, path: &Path, error: &dyn Error) -> CliError {
    let shown = path.display();
    CliError::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read as {kind}: {}", chain(error)),
    })
}

/// Identifies a placeholder file, such as a Git LFS pointer.
pub(crate) fn instead(path: &Path) -> Option<String> {
    // A pipe is already consumed, and a device may be endless.
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(STAND_IN_BYTES as u64).read_to_end(&mut start).ok()?;
    stand_in(&start)
}

/// Reads a text file of at most `most` bytes and strips the byte order mark.
pub(crate) fn text(path: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    text_of(path, input::open(path)?, most)
}

/// Like [`text`], for an open file.
pub(crate) fn text_of(path: &Path, file: impl Read, most: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, &error))?;
    let wrong = |what: String| CliError::Failure(format!("{}: {what}", path.display()));
    if bytes.len() as u64 > most {
        return Err(wrong(format!("it is larger than {} MiB", most >> 20)));
    }
    // For an empty file the parser has a more specific message.
    match stand_in(&bytes).filter(|_| !bytes.is_empty()) {
        Some(what) => Err(wrong(what)),
        None => Ok(unmarked(&bytes).map_err(|error| wrong(error.to_string()))?.to_vec()),
    }
}
