//! Folder of a run of many images.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::manifest::Manifest;
use super::shard::Shard;
use crate::folder::make_folder;
use crate::reading;
use crate::{Error, Notes};

/// A folder with images, and with manifests and locks in its subfolder `shards`.
#[derive(Clone, Debug)]
pub struct ShardStore {
    folder: PathBuf,
    notes: Notes,
}

impl ShardStore {
    /// Returns the store at a folder, which may not exist yet.
    pub fn at(folder: &Path, notes: Notes) -> Self {
        Self { folder: folder.to_owned(), notes }
    }

    /// Receiver of notes about the folder.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Creates the folder if it does not exist.
    ///
    /// # Errors
    /// [`Error::Failure`] if the folder cannot be created.
    pub fn create(&self) -> Result<(), Error> {
        make_folder(&self.folder.join("shards"))
    }

    /// Path of the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the manifest of a shard.
    pub fn manifest(&self, shard: Shard) -> PathBuf {
        self.folder.join("shards").join(shard.stem() + ".json")
    }

    /// Path of the lock of a shard.
    pub fn lock(&self, shard: Shard) -> PathBuf {
        self.folder.join("shards").join(shard.stem() + ".lock")
    }

    /// Removes the manifests of other runs, and the images listed in them.
    ///
    /// # Errors
    /// [`Error::Failure`] if a file cannot be removed, or if another process is generating one of the shards.
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

    /// Removes the manifests of all runs, and the images listed in them.
    ///
    /// # Errors
    /// [`Error::Failure`] if a file cannot be removed, or if another process is generating one of the shards.
    pub fn forget_all(&self) -> Result<(), Error> {
        for shard in self.shards()? {
            self.forget(shard, false, Manifest::read(&self.manifest(shard)).ok())?;
        }
        Ok(())
    }

    /// Removes a shard, unless another process is generating it.
    fn forget(&self, shard: Shard, is_locked_here: bool, manifest: Option<Manifest>) -> Result<(), Error> {
        let _lock = if is_locked_here { None } else { Some(Lock::take(&self.lock(shard), &self.notes)?) };
        if let Some(Manifest { run, finished, .. }) = manifest {
            for &position in finished.keys() {
                remove(&self.folder.join(run.file(position)))?;
            }
        }
        remove(&self.manifest(shard))
    }

    /// Returns true if the folder has shards of a run.
    pub fn is_begun(&self) -> bool {
        self.folder.join("shards").is_dir() && self.shards().is_ok_and(|shards| !shards.is_empty())
    }

    /// Returns the shards with a manifest, in order.
    ///
    /// # Errors
    /// [`Error::Failure`] if the folder cannot be listed.
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

/// Removes a file if it exists.
fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::failure(format_args!("cannot remove {}", file.display()), &error))
        }
        _ => Ok(()),
    }
}
