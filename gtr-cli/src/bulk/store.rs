//! The folder in which images gather.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::manifest::Manifest;
use super::shard::Shard;
use crate::error::CliError;
use crate::output::make_folder;
use crate::reading;

/// A folder with images and, in its folder `shards`, what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store(PathBuf);

impl Store {
    /// A folder that may not be there yet.
    pub(crate) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Makes the folder, unless it is there.
    pub(crate) fn create(&self) -> Result<(), CliError> {
        make_folder(&self.0.join("shards"))
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The manifest of a part.
    pub(crate) fn manifest(&self, shard: Shard) -> PathBuf {
        self.0.join("shards").join(shard.stem() + ".json")
    }

    /// What the process that makes a part holds.
    pub(crate) fn lock(&self, shard: Shard) -> PathBuf {
        self.0.join("shards").join(shard.stem() + ".lock")
    }

    /// Removes what other runs than that of a manifest left: their images, as far as their manifests name them, and the manifests.
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

    /// Removes what all runs left.
    pub(crate) fn forget_all(&self) -> Result<(), CliError> {
        for shard in self.shards()? {
            self.forget(shard, false, Manifest::read(&self.manifest(shard)).ok())?;
        }
        Ok(())
    }

    /// Removes a part, unless another process is making it.
    fn forget(&self, shard: Shard, is_locked_here: bool, manifest: Option<Manifest>) -> Result<(), CliError> {
        let _lock = if is_locked_here { None } else { Some(Lock::take(&self.lock(shard))?) };
        if let Some(Manifest { run, finished, .. }) = manifest {
            for &position in finished.keys() {
                remove(&self.0.join(run.file(position)))?;
            }
        }
        remove(&self.manifest(shard))
    }

    /// Whether parts of a run gather here.
    pub(crate) fn is_begun(&self) -> bool {
        self.0.join("shards").is_dir() && self.shards().is_ok_and(|shards| !shards.is_empty())
    }

    /// The parts that have a manifest, in order.
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

/// Removes a file, if it is there.
fn remove(file: &Path) -> Result<(), CliError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CliError::failure(format_args!("cannot remove {}", file.display()), &error))
        }
        _ => Ok(()),
    }
}

/// Opens a file in a folder that others may have filled: opening a pipe there would wait for whoever writes to it.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is not a regular file")) }
}

/// The bytes of such a file.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file is one that systems put beside others unasked: hidden ones, as `._00000.png` and `.DS_Store` of macOS, and those of
/// Windows. It is no picture, whatever its ending, and a folder that holds nothing else is empty.
pub(crate) fn is_companion(name: &Path) -> bool {
    let name = name.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || [&b"Thumbs.db"[..], b"desktop.ini"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
