//! Reading of small text files with a size limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gtr_core::unmarked;
use serde::de::DeserializeOwned;

use crate::{BackendError, placeholder};

/// Largest configuration file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Reads a configuration file.
pub(crate) fn read_text(path: &Path) -> Result<String, BackendError> {
    let bytes = read_bounded(path, LARGEST)?;
    let text = std::str::from_utf8(&bytes).map(str::to_owned);
    text.map_err(|error| wrong(path, format!("it is not UTF-8 text: {error}")))
}

/// Parses JSON that must be an object; a derived `Deserialize` would also accept an array of the values of the fields.
pub(crate) fn parse_object<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = std::str::from_utf8(unmarked(json.as_bytes()).map_err(|error| error.to_string())?);
    let json = json.map_err(|error| error.to_string())?;
    if !json.trim_start().starts_with('{') {
        return Err("expected a JSON object, `{ ... }`".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| format!("expected one JSON object: {error}"))?;
    Ok(value)
}

fn wrong(path: &Path, reason: String) -> BackendError {
    BackendError::Config { model: path.display().to_string(), reason }
}

/// Reads a text file of at most `most` bytes and removes a byte order mark. Refuses a placeholder file.
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
        return Err(wrong(path, format!("it is too large: at most {most} bytes are read")));
    }
    if let Some(what) = placeholder(&bytes) {
        return Err(wrong(path, what));
    }
    Ok(unmarked(&bytes).map_err(|error| wrong(path, error.to_string()))?.to_vec())
}
