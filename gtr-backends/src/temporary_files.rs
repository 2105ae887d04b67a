//! Registry of temporary files that are being written, so that an interrupted program can remove them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static FILES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn files() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A panic cannot leave the set of paths in an invalid state.
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a file for removal by [`remove_unfinished`] until this value is dropped.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Registers a file.
    pub fn new(path: &Path) -> Self {
        files().insert(path.to_owned());
        Self(path.to_owned())
    }

    /// Runs `rename`, which gives the file its final name, and unregisters the file. [`remove_unfinished`] waits
    /// meanwhile.
    pub fn finish<T>(self, rename: impl FnOnce() -> T) -> T {
        let mut files = files();
        files.remove(&self.0);
        rename()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        files().remove(&self.0);
    }
}

/// Removes all registered files. Call it right before the process exits: files that are written afterwards stay
/// incomplete.
pub fn remove_unfinished() {
    for file in std::mem::take(&mut *files()) {
        // A file that cannot be removed is left behind.
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_and_dropped_files_are_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (begun, finished, given_up) = (path("a"), path("b"), path("c"));
        let _begun = Unfinished::new(&begun);
        Unfinished::new(&finished).finish(|| fs::rename(&finished, folder.path().join("d"))).unwrap();
        drop(Unfinished::new(&given_up));
        assert!(files().contains(&begun) && !files().contains(&finished) && !files().contains(&given_up));
        // Not `remove_unfinished`, which would remove the files of other tests.
        files().remove(&begun);
    }
}
