//! Reads and checks all shards of a run.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::checksum::Checksum;
use super::manifest::{Manifest, Run};
use super::shard::Shard;
use super::store::ShardStore;
use crate::reading::{self, read_regular};
use crate::{Error, Notes};

/// The shards of a run, in order.
#[derive(Debug)]
pub struct Gathered {
    parts: Vec<(ShardStore, Manifest)>,
}

/// A finished image according to a manifest.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Position in the run.
    pub position: u64,
    /// Path relative to the folder.
    pub name: PathBuf,
    /// Path of the file.
    pub path: PathBuf,
    checksum: Checksum,
}

impl Finished {
    /// Reads the file and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file was deleted, or changed after it was written.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let shown = self.path.display();
        let bytes = read_regular(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Failure(format!("{shown} was deleted")),
            _ => reading::failed(&self.path, &error),
        })?;
        if Checksum::of(&bytes) == self.checksum {
            return Ok(bytes);
        }
        Err(Error::Failure(format!("{shown} was changed after it was written")))
    }
}

impl Gathered {
    /// Reads the manifests in folders. They must belong to the same run.
    ///
    /// # Errors
    /// [`Error::Failure`] if there are no manifests, if one cannot be read, or if they belong to different runs.
    pub fn read(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut parts: Vec<(ShardStore, Manifest)> = Vec::new();
        for folder in folders {
            let store = ShardStore::at(folder, Notes::none());
            for shard in store.shards()? {
                let path = store.manifest(shard);
                let manifest = Manifest::read(&path)?;
                let shown = path.display();
                if let Some((_, first)) = parts.first() {
                    if first.shard.of() != shard.of() {
                        let (there, here) = (first.shard.of(), gtr_core::count(shard.of(), "part"));
                        return Err(Error::Failure(format!(
                            "{shown} is from a run in {here}, the first manifest from one in {there}: merge one run at a time"
                        )));
                    }
                    if let Some(difference) = first.run.difference(&manifest.run) {
                        return Err(Error::Failure(format!(
                            "{shown} is from another run than the first manifest: {difference}"
                        )));
                    }
                }
                if parts.iter().any(|(_, other)| other.shard == shard) {
                    return Err(Error::Failure(format!("{shown} is from a part that another folder also has")));
                }
                parts.push((store.clone(), manifest));
            }
        }
        parts.sort_by_key(|(_, manifest)| manifest.shard);
        if parts.is_empty() {
            let first = folders.first().map_or(Path::new("").display(), |folder| folder.display());
            return Err(Error::Failure(format!("nothing to merge: {first} has no manifests in its folder shards")));
        }
        Ok(Self { parts })
    }

    /// Returns the run. There is at least one shard.
    pub fn run(&self) -> &Run {
        &self.parts[0].1.run
    }

    /// Number of shards of the run.
    pub fn shards(&self) -> u32 {
        self.parts[0].1.shard.of()
    }

    /// Returns true if all images are already in this folder.
    pub fn is_in(&self, folder: &Path) -> bool {
        let folder = fs::canonicalize(folder).ok();
        folder.is_some() && self.parts.iter().all(|(store, _)| fs::canonicalize(store.folder()).ok() == folder)
    }

    /// Returns all finished images, in order.
    pub fn finished(&self) -> impl Iterator<Item = Finished> {
        self.parts.iter().flat_map(|(store, manifest)| {
            manifest.finished.iter().map(move |(&position, &checksum)| {
                let name = manifest.run.file(position);
                Finished { position, path: store.folder().join(&name), name, checksum }
            })
        })
    }

    /// Compares every image with its checksum.
    ///
    /// # Errors
    /// [`Error::Failure`] if images are missing or were changed. The message lists them.
    pub fn check(&self) -> Result<(), Error> {
        let images = self.run().numbering.images();
        let mut lacking = 0;
        let mut reasons = Vec::new();
        for shard in self.parts[0].1.shard.all() {
            let part =
                self.parts.binary_search_by_key(&shard, |(_, manifest)| manifest.shard).map(|at| &self.parts[at]);
            let range = shard.range(images);
            let gaps = part.map_or_else(|_| vec![range.clone()], |(_, manifest)| manifest.gaps());
            let gaps: Vec<Range<u64>> = gaps.into_iter().filter(|gap| !gap.is_empty()).collect();
            if !gaps.is_empty() {
                lacking += gaps.iter().map(|gap| gap.end - gap.start).sum::<u64>();
                reasons.push(tell(shard, part.is_ok(), &gaps));
            }
        }
        for finished in self.finished() {
            if let Err(error) = finished.read() {
                lacking += 1;
                reasons.push(error.to_string());
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let more = reasons.len().saturating_sub(SHOWN);
        reasons.truncate(SHOWN);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        Err(Error::Failure(format!(
            "{lacking} of {} {} missing: {}{more}; run the parts again with --resume",
            gtr_core::count(images, "image"),
            if lacking == 1 { "is" } else { "are" },
            reasons.join("; ")
        )))
    }
}

/// Largest number of problems that are listed individually.
const SHOWN: usize = 8;

/// Describes the missing images of a shard.
fn tell(shard: Shard, begun: bool, gaps: &[Range<u64>]) -> String {
    let range = |gap: &Range<u64>| match gap.end - gap.start {
        1 => gap.start.to_string(),
        _ => format!("{}..{}", gap.start, gap.end - 1),
    };
    let ranges: Vec<String> = gaps.iter().take(SHOWN).map(range).collect();
    let more = if gaps.len() > SHOWN { ", ..." } else { "" };
    let state = if begun { "misses images" } else { "has no manifest and misses images" };
    format!("part {shard} {state} {}{more}", ranges.join(", "))
}
