//! Atomic writing of files.
//!
//! A file is written under a temporary name in the same folder, and renamed after it is synced to disk. If the program
//! is stopped, the path has either the old file or the complete new one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{BackendError, Unfinished};

/// Prefix of temporary names. It is short, so that a temporary name stays within the limit of the file system.
pub(crate) const TEMPORARY_PREFIX: &str = ".gtr-";

/// A file that gets its name when it is [committed](AtomicFile::commit). If it is dropped before, it is removed.
///
/// # Examples
/// ```
/// use std::io::Write as _;
/// use gtr_backends::AtomicFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("plan.json");
/// let mut file = AtomicFile::create(&path)?;
/// file.write_all(b"{}")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: NamedTempFile,
    unfinished: Unfinished,
}

impl AtomicFile {
    /// Creates a temporary file in the folder of `path`. If `path` is a symbolic link, the link is kept and its target
    /// is replaced.
    ///
    /// # Errors
    /// If the path is a folder, a device, a read-only file or a cyclic link, or if no file can be created in its
    /// folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = replaceable(path)?;
        if path.file_name().is_none() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Created like any new file, so that it has the usual permissions.
        let create = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder, create)?;
        let unfinished = Unfinished::new(file.path());
        Ok(Self { path, file, unfinished })
    }

    /// Path of the final file, with symbolic links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file to disk and renames it to its final path.
    ///
    /// # Errors
    /// If the disk is full or the file cannot be renamed. The temporary file is then removed.
    pub fn commit(self) -> io::Result<()> {
        let Self { path, file, unfinished } = self;
        file.as_file().sync_all()?;
        unfinished.finish(|| file.persist(path)).map(drop).map_err(|error| error.error)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(to)
    }
}

/// A buffered [`AtomicFile`] with errors of type [`BackendError`].
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    file: BufWriter<AtomicFile>,
}

impl Partial {
    pub(crate) fn create(path: &Path) -> Result<Self, BackendError> {
        let file = AtomicFile::create(path).map_err(|source| BackendError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        self.file.write_all(bytes).map_err(|source| self.wrong(source))
    }

    /// Appends the content of another file and removes that file.
    pub(crate) fn append(&mut self, mut other: Self) -> Result<(), BackendError> {
        let copied = other.file.flush().and_then(|()| {
            let mut from = File::open(other.file.get_ref().file.path())?;
            io::copy(&mut from, &mut self.file)
        });
        copied.map(drop).map_err(|source| self.wrong(source))
    }

    /// Commits the file.
    pub(crate) fn finish(self) -> Result<(), BackendError> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        file.and_then(AtomicFile::commit).map_err(|source| BackendError::Write { path, source })
    }

    fn wrong(&self, source: io::Error) -> BackendError {
        BackendError::Write { path: self.path.clone(), source }
    }
}

/// Largest number of chained links; more are treated as a loop.
const MOST_LINKS: usize = 40;

/// Returns the file that `path` refers to, if it may be replaced. Symbolic links are followed, also to a file that does
/// not exist yet.
fn replaceable(path: &Path) -> io::Result<PathBuf> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return follow(path),
        Err(error) => return Err(error),
    };
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("expected a file, found a device or a pipe"));
    }
    if metadata.permissions().readonly() {
        return Err(io::Error::other("it is read-only; choose another file"));
    }
    fs::canonicalize(path)
}

/// Resolves a chain of symbolic links. The target need not exist.
///
/// # Errors
/// If the chain is a loop.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    Err(io::Error::other("symbolic links form a loop"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = Partial::create(&path).unwrap();
        file.write(b"ab").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let (mut file, mut other) = (Partial::create(&path).unwrap(), Partial::create(&path).unwrap());
        other.write(b"cd").unwrap();
        file.write(b"ab").unwrap();
        file.append(other).unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcd");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_kept_and_special_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "before").unwrap();
        std::os::unix::fs::symlink(path("a"), path("link")).unwrap();
        let mut file = Partial::create(&path("link")).unwrap();
        file.write(b"after").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(path("a")).unwrap(), b"after");
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        let mut permissions = fs::metadata(path("a")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path("a"), permissions).unwrap();
        let reason = |path: &Path| {
            let BackendError::Write { source, .. } = Partial::create(path).unwrap_err() else { panic!() };
            source.to_string()
        };
        assert!(reason(&path("a")).contains("read-only"));
        assert!(reason(Path::new("/dev/null")).contains("device"));
        // A link to a file that does not exist yet is kept, too; a link to itself is refused.
        for (link, to) in [("dangling", "new"), ("loop", "loop")] {
            std::os::unix::fs::symlink(to, path(link)).unwrap();
        }
        Partial::create(&path("dangling")).unwrap().finish().unwrap();
        assert!(path("new").is_file() && fs::symlink_metadata(path("dangling")).unwrap().is_symlink());
        assert!(Partial::create(&path("loop")).is_err());
    }

    #[test]
    fn invalid_paths_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Partial::create(folder.path()).is_err());
        assert!(Partial::create(&folder.path().join("a/b")).is_err());
        assert!(Partial::create(Path::new("/")).is_err());
    }
}
