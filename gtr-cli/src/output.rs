//! Everything that leaves the program: standard output, notes, the log, files.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing_subscriber::EnvFilter;

use crate::error::CliError;

/// Writes to standard output; styles are kept only where they are wanted. A reader that stopped reading has what it wants.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failure("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes to a file, or to standard output where none is named.
pub(crate) fn write(text: &str, file: Option<&Path>) -> Result<(), CliError> {
    match file {
        None => print(text),
        Some(path) => Target::new(path)?.write(anstream::adapter::strip_str(text).to_string().as_bytes()),
    }
}

/// Writes bytes to a file, or to standard output where none is named.
pub(crate) fn save(bytes: &[u8], file: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = file else {
        let mut stdout = io::stdout().lock();
        return match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::failure("cannot write to standard output", &error))
            }
            _ => Ok(()),
        };
    };
    Target::new(path)?.write(bytes)
}

/// A flag, and the file that it names.
pub(crate) type Named<'a> = (&'static str, Option<&'a Path>);

/// Refuses a file that is to be written twice, or that is read as well: only what is written last would be left of it.
pub(crate) fn apart(written: &[Named<'_>], read: &[Named<'_>]) -> Result<(), CliError> {
    // By the name that links lead to, also of a file that is not there yet; a device takes whatever comes.
    let whole = |path: &Path| -> Option<PathBuf> {
        if let Ok(metadata) = fs::metadata(path) {
            return if metadata.is_file() { fs::canonicalize(path).ok() } else { None };
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    };
    let files = |named: &[Named<'_>]| -> Vec<(&'static str, PathBuf)> {
        named.iter().filter_map(|(flag, path)| Some((*flag, whole((*path)?)?))).collect()
    };
    let (written, read) = (files(written), files(read));
    for (at, (flag, path)) in written.iter().enumerate() {
        let mut others = written[..at].iter().chain(&read);
        if let Some((other, _)) = others.find(|(_, other)| other == path) {
            return Err(CliError::usage(format_args!(
                "{flag} and {other} name the same file, {}: give them two names",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Tells something that is no error.
pub(crate) fn note(text: impl Display) {
    line("note", text);
}

/// Tells why the program fails.
pub(crate) fn error(text: impl Display) {
    line("error", text);
}

/// A line on standard error; control characters, as a file name may hold, become spaces.
fn line(label: &str, text: impl Display) {
    let text: String = text.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{label}: {text}");
}

/// Starts the log on standard error.
pub(crate) fn log(verbose: bool) {
    if verbose {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("gtr_cli=debug,gtr_core=debug,gtr_backends=debug"))
            .with_writer(anstream::stderr)
            .with_target(false)
            .without_time()
            .log_internal_errors(false)
            .init();
    }
}

/// A file that will be written whole or not at all: under another name in the same folder, then renamed.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    /// A device or a pipe, which no file may replace.
    special: bool,
}

impl Target {
    /// Finds out whether the file can be written, before anything is computed for it.
    pub(crate) fn new(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let refused = |error: &io::Error| CliError::failure(format_args!("cannot write {shown}"), error);
        let Ok(metadata) = fs::metadata(path) else {
            let target = Self { path: path.to_owned(), special: false };
            // `pictures/` asks for a folder, whether its name is that of a file or not.
            if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                return Err(CliError::Failure(format!(
                    "cannot write {shown}: there is no such folder; create it first"
                )));
            }
            if !target.folder().is_dir() {
                let folder = target.folder().display();
                return Err(CliError::Failure(format!(
                    "cannot write {shown}: the folder {folder} does not exist; create it first"
                )));
            }
            if path.file_name().is_none() {
                return Err(CliError::Failure(format!("cannot write {shown}: it names no file")));
            }
            target.temporary().map_err(|error| refused(&error))?;
            return Ok(target);
        };
        if metadata.is_dir() {
            return Err(CliError::Failure(format!("cannot write {shown}: it is a folder; name a file in it")));
        }
        if !metadata.is_file() {
            return Ok(Self { path: path.to_owned(), special: true });
        }
        if metadata.permissions().readonly() {
            return Err(CliError::Failure(format!("cannot write {shown}: it is read-only; choose another file")));
        }
        // A link stays a link: what it leads to is replaced.
        let target = Self { path: fs::canonicalize(path).map_err(|error| refused(&error))?, special: false };
        target.temporary().map_err(|error| refused(&error))?;
        Ok(target)
    }

    /// Writes the file as it comes, for content that is larger than memory.
    pub(crate) fn fill(&self, write: impl FnOnce(&mut File) -> Result<(), CliError>) -> Result<(), CliError> {
        if self.special {
            let error = io::Error::other("it is a device or a pipe, where nothing can be written twice");
            return Err(self.refused(&error));
        }
        let mut file = self.temporary().map_err(|error| self.refused(&error))?;
        write(file.as_file_mut())?;
        file.persist(&self.path).map_err(|error| self.refused(&error.error))?;
        Ok(())
    }

    /// That the file cannot be written.
    pub(crate) fn refused(&self, error: &io::Error) -> CliError {
        CliError::failure(format_args!("cannot write {}", self.path.display()), error)
    }

    /// Writes the file.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), CliError> {
        let written = if self.special {
            File::options().write(true).open(&self.path).and_then(|mut file| file.write_all(bytes))
        } else {
            self.temporary().and_then(|mut file| {
                file.write_all(bytes)?;
                file.persist(&self.path).map_err(|error| error.error)?;
                Ok(())
            })
        };
        match written {
            Err(error) if !(self.special && error.kind() == io::ErrorKind::BrokenPipe) => Err(self.refused(&error)),
            _ => Ok(()),
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// A temporary file beside the target; it goes away unless it is renamed.
    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gtr-cli-");
        // As readable as any new file, not for the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(self.folder())
    }
}
