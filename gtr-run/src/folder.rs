//! Folders that are written to. One rule for all: a folder is made where the folder above it is there.

use std::fs;
use std::io;
use std::path::Path;

use crate::Error;
use crate::path::{is_stream, names_folder};
use crate::target::{Target, no_folder};

/// Finds out whether a folder can be written to, or made, before anything is computed for it.
///
/// # Errors
/// [`Error::Request`] for a path that names no folder, [`Error::Failure`] if it cannot be made or written to.
pub fn check_folder(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    if is_stream(path) {
        return Err(Error::request(
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
        return Err(Error::Failure(reason));
    }
    if let Some(ending) = path.extension().filter(|_| !is_folder) {
        let ending = ending.to_string_lossy();
        return Err(Error::request(format_args!(
            "{shown} ends in .{ending}, as a file does, and a folder is wanted: write {shown}/ if it is one"
        )));
    }
    if let Some(error) = fs::metadata(path).err().filter(|error| error.kind() != io::ErrorKind::NotFound) {
        return Err(Error::failure(format_args!("cannot make the folder {shown}"), &error));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    no_folder(parent).map_or(Ok(()), |reason| Err(Error::Failure(format!("cannot make the folder {shown}: {reason}"))))
}

/// Makes a folder and those above it, unless they are there.
///
/// # Errors
/// [`Error::Failure`] if the system refuses.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    let shown = folder.display();
    fs::create_dir_all(folder).map_err(|error| Error::failure(format_args!("cannot make the folder {shown}"), &error))
}
