//! Files from outside: what is said of those that cannot be read, in one voice. The file comes first, then what is wrong, then
//! what to do.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use gtr_backends::{STAND_IN_BYTES, stand_in};
use gtr_core::unmarked;

use crate::error::{CliError, chain};
use crate::input;

/// A file cannot be read: it is something else than it should be, or the system says why.
pub(crate) fn failed(path: &Path, error: &dyn Error) -> CliError {
    let shown = path.display();
    CliError::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read: {}", chain(error)),
    })
}

/// A file is not of the kind that it should be.
pub(crate) fn not_a(kind: &str, path: &Path, error: &dyn Error) -> CliError {
    let shown = path.display();
    CliError::Failure(match instead(path) {
        Some(what) => format!("{shown}: {what}"),
        None => format!("{shown}: cannot be read as {kind}: {}", chain(error)),
    })
}

/// What a file is instead of what it should be, where that is known.
pub(crate) fn instead(path: &Path) -> Option<String> {
    // Of a pipe nothing is left, and a device may have no end.
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(STAND_IN_BYTES as u64).read_to_end(&mut start).ok()?;
    stand_in(&start)
}

/// The bytes of a text file of at most `most`, without a byte order mark.
pub(crate) fn text(path: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    text_of(path, input::open(path)?, most)
}

/// The same of a file that is open.
pub(crate) fn text_of(path: &Path, file: impl Read, most: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, &error))?;
    let wrong = |what: String| CliError::Failure(format!("{}: {what}", path.display()));
    if bytes.len() as u64 > most {
        return Err(wrong(format!("it has more than {} MB, which is more than is read", most >> 20)));
    }
    // Of an empty file the reader knows better what is missing.
    match stand_in(&bytes).filter(|_| !bytes.is_empty()) {
        Some(what) => Err(wrong(what)),
        None => Ok(unmarked(&bytes).map_err(|error| wrong(error.to_string()))?.to_vec()),
    }
}
