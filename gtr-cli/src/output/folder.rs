//! Output folders. A folder is created if its parent exists.

use std::fs;
use std::io;
use std::path::Path;

use super::target::{Target, names_folder};
use crate::error::CliError;
use crate::input::is_stream;

/// Returns why a path is not a folder, and what would be right, or `None` if it is a folder.
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
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("{shown} is a dangling link")),
        Err(error) => Some(format!("cannot open the folder {shown}: {error}")),
    }
}

/// Checks, before any computation, that a folder can be written to or created.
pub(crate) fn check_folder(path: &Path) -> Result<(), CliError> {
    let shown = path.display();
    if is_stream(path) {
        return Err(CliError::usage(
            "expected a folder, found `-`, standard output; for a folder of this name, use `./-`",
        ));
    }
    // Without the trailing slash, so that the message says what was found at this path.
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
            "expected a folder, found the extension .{ending} of a file: {shown}; for a folder of this name, use {shown}/"
        )));
    }
    if let Some(error) = fs::metadata(path).err().filter(|error| error.kind() != io::ErrorKind::NotFound) {
        return Err(CliError::failure(format_args!("cannot create the folder {shown}"), &error));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    no_folder(parent)
        .map_or(Ok(()), |reason| Err(CliError::Failure(format!("cannot create the folder {shown}: {reason}"))))
}

/// Creates a folder and its missing parents.
pub(crate) fn make_folder(folder: &Path) -> Result<(), CliError> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .map_err(|error| CliError::failure(format_args!("cannot create the folder {shown}"), &error))
}

/// Returns true if a path means a folder: it is a folder, or it ends in a separator.
pub(crate) fn is_folder(path: &Path) -> bool {
    names_folder(path) || path.is_dir()
}
