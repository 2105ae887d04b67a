//! Output folders. A folder is created if its parent exists.

use std::fs;
use std::io;
use std::path::Path;

use crate::Error;
use crate::path::{is_stream, names_folder};
use crate::target::{Target, no_folder};

/// Checks, before any computation, that a folder can be written to or created.
///
/// # Errors
/// [`Error::Request`] if the path cannot be the name of a folder, [`Error::Failure`] if the folder cannot be created or written to.
pub fn check_folder(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    if is_stream(path) {
        return Err(Error::request(
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
        return Err(Error::Failure(reason));
    }
    if let Some(ending) = path.extension().filter(|_| !is_folder) {
        let ending = ending.to_string_lossy();
        return Err(Error::request(format_args!(
            "expected a folder, found the extension .{ending} of a file: {shown}; for a folder of this name, use {shown}/"
        )));
    }
    if let Some(error) = fs::metadata(path).err().filter(|error| error.kind() != io::ErrorKind::NotFound) {
        return Err(Error::failure(format_args!("cannot create the folder {shown}"), &error));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    no_folder(parent)
        .map_or(Ok(()), |reason| Err(Error::Failure(format!("cannot create the folder {shown}: {reason}"))))
}

/// Creates a folder and its missing parents.
///
/// # Errors
/// [`Error::Failure`] if the folder cannot be created.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    let shown = folder.display();
    fs::create_dir_all(folder).map_err(|error| Error::failure(format_args!("cannot create the folder {shown}"), &error))
}
