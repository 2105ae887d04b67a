//! The folder in which images gather.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::manifest::Manifest;
use super::shard::Shard;
use crate::folder::make_folder;
use crate::reading;
use crate::{Error, Notes};

/// A folder with images and, in its folder `shards`, what is known of them.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    notes: Notes,
}

impl Store {
    /// A folder that may not be there yet.
    pub fn at(folder: &Path, notes: Notes) -> Self {
        Self { folder: folder.to_owned(), notes }
    }

    /// Where remarks about it go.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Makes the folder, unless it is there.
    ///
    /// # Errors
    /// [`Error::Failure`] if the system refuses, or another process is making a part.
    pub fn create(&self) -> Result<(), Error> {
        make_folder(&self.folder.join("shards"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The manifest of a part.
    pub fn manifest(&self, shard: Shard) -> PathBuf {
        self.folder.join("shards").join(shard.stem() + ".json")
    }

    /// What the process that makes a part holds.
    pub fn lock(&self, shard: Shard) -> PathBuf {
        self.folder.join("shards").join(shard.stem() + ".lock")
    }

    /// Removes what other runs than that of a manifest left: their images, as far as their manifests name them, and the manifests.
    ///
    /// # Errors
    /// [`Error::Failure`] if the system refuses, or another process is making a part.
    pub fn forget_others(&self, ours: &Manifest) -> Result<(), Error> {
        for shard in self.shards()? {
            let theirs = Manifest::read(&self.manifest(shard)).ok();
            if shard.of() == ours.shard.of() && theirs.as_ref().is_some_and(|theirs| theirs.run == ours.run) {
                continue;
            }
            self.forget(shard, shard == ours.shard, theirs)?;
        }
        Ok(())
    }

    /// Removes what all runs left.
    ///
    /// # Errors
    /// [`Error::Failure`] if the system refuses, or another process is making a part.
    pub fn forget_all(&self) -> Result<(), Error> {
        for shard in self.shards()? {
            self.forget(shard, false, Manifest::read(&self.manifest(shard)).ok())?;
        }
        Ok(())
    }

    /// Removes a part, unless another process is making it.
    fn forget(&self, shard: Shard, is_locked_here: bool, manifest: Option<Manifest>) -> Result<(), Error> {
        let _lock = if is_locked_here { None } else { Some(Lock::take(&self.lock(shard), &self.notes)?) };
        if let Some(Manifest { run, finished, .. }) = manifest {
            for &position in finished.keys() {
                remove(&self.folder.join(run.file(position)))?;
            }
        }
        remove(&self.manifest(shard))
    }

    /// Whether parts of a run gather here.
    pub fn is_begun(&self) -> bool {
        self.folder.join("shards").is_dir() && self.shards().is_ok_and(|shards| !shards.is_empty())
    }

    /// The parts that have a manifest, in order.
    ///
    /// # Errors
    /// [`Error::Failure`] if the system refuses, or another process is making a part.
    pub fn shards(&self) -> Result<Vec<Shard>, Error> {
        let folder = self.folder.join("shards");
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| reading::failed(&folder, &error))?;
        let shard = |name: String| name.strip_suffix(".json").and_then(Shard::from_stem);
        let mut shards: Vec<Shard> =
            entries.iter().filter_map(|entry| entry.file_name().into_string().ok().and_then(shard)).collect();
        shards.sort();
        Ok(shards)
    }
}

/// Removes a file, if it is there.
fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::failure(format_args!("cannot remove {}", file.display()), &error))
        }
        _ => Ok(()),
    }
}
