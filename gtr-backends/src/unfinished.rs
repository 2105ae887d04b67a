//! Files that are being written under temporary names: a program that is stopped removes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static FILES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn files() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths is whole, whatever the thread did that panicked.
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that [`remove_unfinished`] removes, as long as this value lives.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Takes note of a file.
    pub fn new(path: &Path) -> Self {
        files().insert(path.to_owned());
        Self(path.to_owned())
    }

    /// Gives the file its final name by `rename`. Until that returns, the file is not removed.
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

/// Removes all files that are being written. Call it right before the process exits: what is written afterwards is not finished.
pub fn remove_unfinished() {
    for file in std::mem::take(&mut *files()) {
        // Nothing is left to do about a file that cannot be removed.
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_finished_or_given_up_is_not_removed() {
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
