//! The folder in which images gather.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::shard::Shard;
use crate::error::CliError;
use crate::reading;
use crate::series::{Numbering, file_name};

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

/// Makes a folder and those above it, unless they are there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), CliError> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .map_err(|error| CliError::failure(format_args!("cannot make the folder {shown}"), &error))
}
