//! Files that are written completely or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gtr_backends::{AtomicFile, follow};

use crate::Error;
use crate::path::{is_stream, names_folder};

/// A file to write. It appears with its complete content or not at all, and is on the disk before it appears.
///
/// # Examples
/// ```
/// use gtr_run::Target;
/// let folder = tempfile::tempdir()?;
/// let target = Target::new(&folder.path().join("plan.json"))?;
/// target.write(b"{}")?;
/// assert!(Target::new(&folder.path().join("nowhere/plan.json")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    kind: Kind,
}

/// Type of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file, which may not exist yet: written under another name in the same folder, then renamed.
    File,
    /// A device or a pipe, which must not be replaced by a file.
    Device,
    /// Standard output.
    Stdout,
}

impl Target {
    /// Checks, before any computation, that the file can be written. `-` is standard output.
    ///
    /// # Errors
    /// [`Error::Failure`] if it cannot.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let refused = |error: &io::Error| Error::failure(format_args!("cannot write {shown}"), error);
        if is_stream(path) {
            return Ok(Self { path: path.to_owned(), kind: Kind::Stdout });
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Self::to_come(path);
            }
            // For example a name that is too long, a loop of links, or a folder without access.
            Err(error) => return Err(refused(&error)),
        };
        if metadata.is_dir() {
            return Err(Error::Failure(format!("cannot write {shown}: expected a file, found a folder")));
        }
        if !metadata.is_file() {
            return Ok(Self { path: path.to_owned(), kind: Kind::Device });
        }
        if metadata.permissions().readonly() {
            return Err(Error::Failure(format!("cannot write {shown}: it is read-only; choose another file")));
        }
        // A link is kept: its target is replaced.
        let target = Self { path: fs::canonicalize(path).map_err(|error| refused(&error))?, kind: Kind::File };
        AtomicFile::create(&target.path).map_err(|error| refused(&error))?;
        Ok(target)
    }

    /// Checks a file that does not exist yet.
    fn to_come(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let refused = |error: &io::Error| Error::failure(format_args!("cannot write {shown}"), error);
        // A trailing separator means a folder, also if the name looks like that of a file.
        if names_folder(path) {
            return Err(Error::Failure(format!("cannot write {shown}: expected a file name, found a folder name")));
        }
        let target = Self { path: follow(path).map_err(|error| refused(&error))?, kind: Kind::File };
        if let Some(reason) = no_folder(target.folder()) {
            return Err(Error::Failure(format!("cannot write {shown}: {reason}")));
        }
        if path.file_name().is_none() {
            return Err(Error::Failure(format!("cannot write {shown}: expected a file name")));
        }
        AtomicFile::create(&target.path).map_err(|error| refused(&error))?;
        Ok(target)
    }

    /// Writes the file piece by piece, for content that is larger than memory.
    ///
    /// # Errors
    /// [`Error::Failure`] for standard output, a device or a pipe, or if the file cannot be written. Errors of `write` are passed on.
    pub fn fill(&self, write: impl FnOnce(&mut AtomicFile) -> Result<(), Error>) -> Result<(), Error> {
        if self.kind != Kind::File {
            let error = io::Error::other("expected a file, found a device or a pipe");
            return Err(self.refused(&error));
        }
        let mut file = AtomicFile::create(&self.path).map_err(|error| self.refused(&error))?;
        write(&mut file)?;
        file.commit().map_err(|error| self.refused(&error))
    }

    /// Returns the error that the file cannot be written.
    pub fn refused(&self, error: &io::Error) -> Error {
        Error::failure(format_args!("cannot write {}", self.path.display()), error)
    }

    /// Writes the complete file.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file cannot be written. A closed pipe is not an error.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        match self.kind {
            Kind::Stdout => to_stdout(bytes),
            Kind::Device => {
                let written = File::options().write(true).open(&self.path).and_then(|mut file| file.write_all(bytes));
                match written {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(self.refused(&error)),
                    _ => Ok(()),
                }
            }
            Kind::File => self.fill(|file| file.write_all(bytes).map_err(|error| self.refused(&error))),
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

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

/// Writes bytes to standard output. A closed pipe is not an error.
///
/// # Errors
/// [`Error::Failure`] if standard output cannot be written.
pub fn to_stdout(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failure("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}
