//! The folder in which images gather.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::manifest::Manifest;
use super::shard::Shard;
use crate::error::CliError;
use crate::output::make_folder;
use crate::reading;
use crate::series::{Numbering, earlier, file_name};

/// How the files of a folder are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// 00000.png, a file an image, named by its number.
    Flat,
    /// 00000/metadata.jsonl and 00000/samples/0000.png, a folder a prompt, as the scorer of GenEval reads it.
    Geneval,
}

impl Layout {
    /// The file of the image at a position, in the folder.
    pub(crate) fn file(self, numbering: Numbering, position: u64) -> String {
        match self {
            Self::Flat => file_name(numbering.number(position)),
            Self::Geneval => {
                let (prompt, sample) = (numbering.subject(position), numbering.sample(position));
                format!("{prompt:05}/samples/{sample:04}.png")
            }
        }
    }

    /// The files that are there of images at some positions.
    pub(crate) fn files_there(
        self,
        folder: &Path,
        numbering: Numbering,
        positions: &Range<u64>,
    ) -> Vec<(u64, PathBuf)> {
        match self {
            Self::Flat => earlier::files(folder, numbering, positions),
            Self::Geneval => {
                let file = |position| (position, folder.join(self.file(numbering, position)));
                positions.clone().map(file).filter(|(_, file)| file.is_file()).collect()
            }
        }
    }

    /// The file of a prompt, in the folder.
    pub(crate) fn metadata(prompt: usize) -> String {
        format!("{prompt:05}/metadata.jsonl")
    }
}

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
                remove(&self.0.join(run.layout.file(run.numbering, position)))?;
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
