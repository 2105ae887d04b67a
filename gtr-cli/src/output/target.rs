//! Files that are written completely or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gtr_backends::{Unfinished, follow};

use super::folder::no_folder;
use crate::error::CliError;
use crate::input::is_stream;

/// A file to write. It appears with its complete content or not at all.
#[derive(Debug)]
pub(crate) struct Target {
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
    /// Checks, before any computation, that the file can be written.
    pub(crate) fn new(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let refused = |error: &io::Error| CliError::failure(format_args!("cannot write {shown}"), error);
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
            return Err(CliError::Failure(format!("cannot write {shown}: expected a file, found a folder")));
        }
        if !metadata.is_file() {
            return Ok(Self { path: path.to_owned(), kind: Kind::Device });
        }
        if metadata.permissions().readonly() {
            return Err(CliError::Failure(format!("cannot write {shown}: it is read-only; choose another file")));
        }
        // A link is kept: its target is replaced.
        let target = Self { path: fs::canonicalize(path).map_err(|error| refused(&error))?, kind: Kind::File };
        target.temporary().map_err(|error| refused(&error))?;
        Ok(target)
    }

    /// Checks a file that does not exist yet.
    fn to_come(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let refused = |error: &io::Error| CliError::failure(format_args!("cannot write {shown}"), error);
        // A trailing separator means a folder, also if the name looks like that of a file.
        if names_folder(path) {
            return Err(CliError::Failure(format!("cannot write {shown}: expected a file name, found a folder name")));
        }
        let target = Self { path: follow(path).map_err(|error| refused(&error))?, kind: Kind::File };
        if let Some(reason) = no_folder(target.folder()) {
            return Err(CliError::Failure(format!("cannot write {shown}: {reason}")));
        }
        if path.file_name().is_none() {
            return Err(CliError::Failure(format!("cannot write {shown}: expected a file name")));
        }
        target.temporary().map_err(|error| refused(&error))?;
        Ok(target)
    }

    /// Writes the file piece by piece, for content that is larger than memory.
    pub(crate) fn fill(&self, write: impl FnOnce(&mut File) -> Result<(), CliError>) -> Result<(), CliError> {
        if self.kind != Kind::File {
            let error = io::Error::other("expected a file, found a device or a pipe");
            return Err(self.refused(&error));
        }
        let (mut file, unfinished) = self.temporary().map_err(|error| self.refused(&error))?;
        write(file.as_file_mut())?;
        let renamed = unfinished.finish(|| file.persist(&self.path).map(drop));
        renamed.map_err(|error| self.refused(&error.error))
    }

    /// Returns the error that the file cannot be written.
    pub(crate) fn refused(&self, error: &io::Error) -> CliError {
        CliError::failure(format_args!("cannot write {}", self.path.display()), error)
    }

    /// Writes the complete file.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), CliError> {
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

    /// Creates a temporary file next to the target. It is removed unless it is renamed.
    fn temporary(&self) -> io::Result<(tempfile::NamedTempFile, Unfinished)> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gtr-cli-");
        // Permissions of an ordinary new file; by default a temporary file is private to its owner.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(self.folder())?;
        let unfinished = Unfinished::new(file.path());
        Ok((file, unfinished))
    }
}

/// Returns true if a path ends in a separator and therefore means a folder.
pub(super) fn names_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Writes bytes to standard output. A closed pipe is not an error.
pub(super) fn to_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failure("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}
