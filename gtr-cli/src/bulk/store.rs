//! Folder of a run of many images.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::manifest::Manifest;
use super::shard::Shard;
use crate::error::CliError;
use crate::output::make_folder;
use crate::reading;

/// A folder with images, and with manifests and locks in its subfolder `shards`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store(PathBuf);

impl Store {
    /// Returns the store at a folder, which may not exist yet.
    pub(crate) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Creates the folder if it does not exist.
    pub(crate) fn create(&self) -> Result<(), CliError> {
        make_folder(&self.0.join("shards"))
    }

    /// Path of the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Path of the manifest of a shard.
    pub(crate) fn manifest(&self, shard: Shard) -> PathBuf {
        self.0.join("shards").join(shard.stem() + ".json")
    }

    /// Path of the lock of a shard.
    pub(crate) fn lock(&self, shard: Shard) -> PathBuf {
        self.0.join("shards").join(shard.stem() + ".lock")
    }

    /// Removes the manifests of other runs, and the images listed in them.
    pub(crate) fn forget_others(&self, ours: &Manifest) -> Result<(), CliError> {
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
    pub(crate) fn forget_all(&self) -> Result<(), CliError> {
        for shard in self.shards()? {
            self.forget(shard, false, Manifest::read(&self.manifest(shard)).ok())?;
        }
        Ok(())
    }

    /// Removes a shard, unless another process is generating it.
    fn forget(&self, shard: Shard, is_locked_here: bool, manifest: Option<Manifest>) -> Result<(), CliError> {
        let _lock = if is_locked_here { None } else { Some(Lock::take(&self.lock(shard))?) };
        if let Some(Manifest { run, finished, .. }) = manifest {
            for &position in finished.keys() {
                remove(&self.0.join(run.file(position)))?;
            }
        }
        remove(&self.manifest(shard))
    }

    /// Returns true if the folder has shards of a run.
    pub(crate) fn is_begun(&self) -> bool {
        self.0.join("shards").is_dir() && self.shards().is_ok_and(|shards| !shards.is_empty())
    }

    /// Returns the shards with a manifest, in order.
    pub(crate) fn shards(&self) -> Result<Vec<Shard>, CliError> {
        let folder = self.0.join("shards");
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
fn remove(file: &Path) -> Result<(), CliError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CliError::failure(format_args!("cannot remove {}", file.display()), &error))
        }
        _ => Ok(()),
    }
}

/// Opens a file in an untrusted folder. Only regular files are opened, because opening a pipe could block.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Reads a regular file in an untrusted folder.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns true for files that operating systems create unasked: hidden files such as `._00000.png` and `.DS_Store` of macOS, and
/// `Thumbs.db` and `desktop.ini` of Windows. They never count as images, and a folder with nothing else counts as empty.
pub(crate) fn is_companion(name: &Path) -> bool {
    let name = name.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || [&b"Thumbs.db"[..], b"desktop.ini"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
