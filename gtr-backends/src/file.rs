//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::{BackendError, Unfinished};

/// A file under a temporary name beside its own, which it gets when it is finished; dropped before that, it is removed.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    unfinished: Option<Unfinished>,
}

impl Partial {
    pub(crate) fn create(path: &Path) -> Result<Self, BackendError> {
        let shown = path;
        let wrong = |source| BackendError::Write { path: shown.to_owned(), source };
        let path = &replaceable(path).map_err(wrong)?;
        if path.file_name().is_none() {
            return Err(wrong(io::ErrorKind::InvalidFilename.into()));
        }
        for number in 0..1000 {
            // Shorter than most names: one that is just short enough for the file system must not become too long.
            let temporary = path.with_file_name(format!(".{}-{number}.partial", std::process::id()));
            match File::options().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    let (file, unfinished) = (Some(BufWriter::new(file)), Some(Unfinished::new(&temporary)));
                    return Ok(Self { path: path.clone(), temporary, file, unfinished });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(wrong(error)),
            }
        }
        Err(wrong(io::ErrorKind::AlreadyExists.into()))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|source| self.wrong(source))
    }

    /// Adds all that another such file holds, which is removed.
    pub(crate) fn append(&mut self, mut other: Self) -> Result<(), BackendError> {
        let copy = |to: &mut BufWriter<File>| -> io::Result<()> {
            if let Some(file) = &mut other.file {
                file.flush()?;
            }
            io::copy(&mut File::open(&other.temporary)?, to).map(drop)
        };
        let copied = self.file.as_mut().map_or(Ok(()), copy);
        copied.map_err(|source| self.wrong(source))
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> Result<(), BackendError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        let mut rename = || match self.unfinished.take() {
            Some(unfinished) => unfinished.finish(|| fs::rename(&self.temporary, &self.path)),
            None => Ok(()),
        };
        let renamed = file.and_then(|file| file.sync_all()).and_then(|()| rename());
        renamed.map_err(|source| {
            // Nothing is left to do about a file that can not be removed.
            let _ = fs::remove_file(&self.temporary);
            self.wrong(source)
        })
    }

    fn wrong(&self, source: io::Error) -> BackendError {
        BackendError::Write { path: self.path.clone(), source }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
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
