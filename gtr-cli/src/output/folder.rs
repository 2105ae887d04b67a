//! Folders that are written to. One rule for all: a folder is made where the folder above it is there.

use std::fs;
use std::io;
use std::path::Path;

use super::target::{Target, names_folder};
use crate::error::CliError;
use crate::input::is_stream;

/// Why a path is no folder, with what would be right; nothing if it is one.
pub(crate) fn no_folder(path: &Path) -> Option<String> {
    let shown = path.display();
    let no_link = || fs::symlink_metadata(path).is_err();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(metadata) if metadata.is_file() => Some(format!("{shown} is a file, not a folder")),
        Ok(_) => Some(format!("{shown} is a device or a pipe, not a folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && no_link() => {
            Some(format!("the folder {shown} does not exist; create it first"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("{shown} is a link to nothing")),
        Err(error) => Some(format!("{shown} is no folder: {error}")),
    }
}

/// Finds out whether a folder can be written to, or made, before anything is computed for it.
pub(crate) fn check_folder(path: &Path) -> Result<(), CliError> {
    let shown = path.display();
    if is_stream(path) {
        return Err(CliError::usage(
            "`-` is standard output, which takes one file: name a folder (`./-` for one of this name)",
        ));
    }
    // Without its slash, so that what stands there is told.
    let (is_folder, path) = (names_folder(path), path.components().as_path());
    let Some(reason) = no_folder(path) else {
        // A file can be written there.
        return Target::new(&path.join("00000.png")).map(drop);
    };
    if fs::symlink_metadata(path).is_ok() {
        return Err(CliError::Failure(reason));
    }
    if let Some(ending) = path.extension().filter(|_| !is_folder) {
        let ending = ending.to_string_lossy();
        return Err(CliError::usage(format_args!(
            "{shown} ends in .{ending}, as a file does, and a folder is wanted: write {shown}/ if it is one"
        )));
    }
    if let Some(error) = fs::metadata(path).err().filter(|error| error.kind() != io::ErrorKind::NotFound) {
        return Err(CliError::failure(format_args!("cannot make the folder {shown}"), &error));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    no_folder(parent)
        .map_or(Ok(()), |reason| Err(CliError::Failure(format!("cannot make the folder {shown}: {reason}"))))
}

/// Makes a folder and those above it, unless they are there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), CliError> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .map_err(|error| CliError::failure(format_args!("cannot make the folder {shown}"), &error))
}

/// Whether a path asks for a folder: one is there, or the path ends in a separator.
pub(crate) fn is_folder(path: &Path) -> bool {
    names_folder(path) || path.is_dir()
}
