//! Files that are whole or not there: the one way in which files are written.
//!
//! A file is written under a temporary name in the same folder, and gets its own when all of it has reached the disk. Whatever stops the
//! program, a file of that name is the one before or the whole new one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{BackendError, Unfinished};

/// Short: a name that is just short enough for the file system must not become too long.
const PREFIX: &str = ".gtr-";

/// A file that appears, under its own name, when it is [committed](AtomicFile::commit); dropped before that, it is removed.
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
    /// Begins a file beside what `path` leads to: a link stays a link, and the file that it leads to is replaced.
    ///
    /// # Errors
    /// If the path is a folder, a device, a read-only file or a link to itself, or if nothing can be created beside it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = replaceable(path)?;
        if path.file_name().is_none() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Created as any new file is, so that it is as readable as any.
        let create = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let file = tempfile::Builder::new().prefix(PREFIX).make_in(folder, create)?;
        let unfinished = Unfinished::new(file.path());
        Ok(Self { path, file, unfinished })
    }

    /// The file that appears: where links lead to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, once all of it is on the disk.
    ///
    /// # Errors
    /// If the disk is full, or the file cannot be renamed; then it is removed.
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

/// An [`AtomicFile`] in many small pieces, whose errors are those of a backend.
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

    /// Adds all that another such file holds, which is removed.
    pub(crate) fn append(&mut self, mut other: Self) -> Result<(), BackendError> {
        let copied = other.file.flush().and_then(|()| {
            let mut from = File::open(other.file.get_ref().file.path())?;
            io::copy(&mut from, &mut self.file)
        });
        copied.map(drop).map_err(|source| self.wrong(source))
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), BackendError> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        file.and_then(AtomicFile::commit).map_err(|source| BackendError::Write { path, source })
    }

    fn wrong(&self, source: io::Error) -> BackendError {
        BackendError::Write { path: self.path.clone(), source }
    }
}

/// Links in a row beyond this are a loop.
const MOST_LINKS: usize = 40;

/// The file that a path leads to, if another may take its place: a link stays a link, also one to a file that is not there yet.
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
        return Err(io::Error::other("it is a device or a pipe; name a file"));
    }
    if metadata.permissions().readonly() {
        return Err(io::Error::other("it is read-only; choose another file"));
    }
    fs::canonicalize(path)
}

/// Where a link leads, and what it leads to is a link, and so on.
///
/// # Errors
/// If it leads to itself.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    Err(io::Error::other("it is a link that leads to itself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
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
    fn links_stay_links_and_what_is_no_file_stays_what_it_is() {
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
        // A link to a file that is not there yet stays one, too; one to itself is refused.
        for (link, to) in [("dangling", "new"), ("loop", "loop")] {
            std::os::unix::fs::symlink(to, path(link)).unwrap();
        }
        Partial::create(&path("dangling")).unwrap().finish().unwrap();
        assert!(path("new").is_file() && fs::symlink_metadata(path("dangling")).unwrap().is_symlink());
        assert!(Partial::create(&path("loop")).is_err());
    }

    #[test]
    fn impossible_places_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Partial::create(folder.path()).is_err());
        assert!(Partial::create(&folder.path().join("a/b")).is_err());
        assert!(Partial::create(Path::new("/")).is_err());
    }
}
