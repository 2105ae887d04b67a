//! Small text files, read with a bound.

use std::fs;
use std::path::Path;

use crate::BackendError;

/// A configuration larger than this is refused before it is read.
const LARGEST: u64 = 1 << 20;

/// The text of a configuration file.
pub(crate) fn read_text(path: &Path) -> Result<String, BackendError> {
    let bytes = read_bounded(path, LARGEST)?;
    String::from_utf8(bytes).map_err(|error| BackendError::Config {
        model: path.display().to_string(),
        reason: format!("it is not text: {error}"),
    })
}

/// The bytes of a file of at most `most`.
pub(crate) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, BackendError> {
    let wrong = |source| BackendError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(wrong)?.len();
    if size > most {
        let reason = format!("{size} bytes are too many for a configuration, at most {most} are read");
        return Err(BackendError::Config { model: path.display().to_string(), reason });
    }
    fs::read(path).map_err(wrong)
}
