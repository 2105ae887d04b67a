//! Small text files, read with a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gtr_core::unmarked;
use serde::de::DeserializeOwned;

use crate::{BackendError, stand_in};

/// A configuration larger than this is refused before it is read.
const LARGEST: u64 = 1 << 20;

/// The text of a configuration file.
pub(crate) fn read_text(path: &Path) -> Result<String, BackendError> {
    let bytes = read_bounded(path, LARGEST)?;
    let text = std::str::from_utf8(&bytes).map(str::to_owned);
    text.map_err(|error| wrong(path, format!("it is not text in UTF-8: {error}")))
}

/// What a text in JSON says, which must be an object; what is derived would take an array of the fields' values, too.
pub(crate) fn parse_object<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = std::str::from_utf8(unmarked(json.as_bytes()).map_err(|error| error.to_string())?);
    let json = json.map_err(|error| error.to_string())?;
    if !json.trim_start().starts_with('{') {
        return Err("it is not a JSON object, `{ ... }`".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| format!("it is not one JSON object: {error}"))?;
    Ok(value)
}

fn wrong(path: &Path, reason: String) -> BackendError {
    BackendError::Config { model: path.display().to_string(), reason }
}

/// The bytes of a text file of at most `most`, without a byte order mark. A file that stands in for another is named.
pub(crate) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, BackendError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| BackendError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > most {
        return Err(wrong(path, format!("it is too large for what it should be, at most {most} bytes are read")));
    }
    if let Some(what) = stand_in(&bytes) {
        return Err(wrong(path, what));
    }
    Ok(unmarked(&bytes).map_err(|error| wrong(path, error.to_string()))?.to_vec())
}
