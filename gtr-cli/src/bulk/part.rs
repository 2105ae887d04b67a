//! A part of a run in the making.

use std::io;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use gtr_backends::Picture;

use super::checksum::Checksum;
use super::lock::Lock;
use super::manifest::{Manifest, Run};
use super::shard::Shard;
use super::store::{Store, make_folder, read_regular};
use crate::args::BulkArgs;
use crate::error::CliError;
use crate::output::{self, Target};
use crate::series::Recipe;

/// A manifest is replaced after a batch, but not before so many times what that takes have passed: it takes a twentieth of the
/// time at most, however many images it names.
const BETWEEN_MANIFESTS: u32 = 20;

/// A part that this process, and no other, is making.
#[derive(Debug)]
pub(crate) struct Part {
    store: Store,
    manifest: Manifest,
    recipe: Recipe,
    scale: usize,
    /// None where the user sees to it that no other process makes the part.
    _lock: Option<Lock>,
}

impl Part {
    /// Begins a part, or continues it with `--resume`.
    pub(crate) fn open(
        store: &Store,
        shard: Shard,
        flags: &BulkArgs,
        run: Run,
        (recipe, scale): (Recipe, usize),
    ) -> Result<Self, CliError> {
        store.create()?;
        let lock = if flags.no_lock { None } else { Some(Lock::take(&store.lock(shard))?) };
        let path = store.manifest(shard);
        let mut manifest = Manifest::new(run, shard);
        let before = store.shards()?;
        // All parts in a folder must be of one run; that of another number of parts would be joined with none of these.
        for other in before.iter().find(|other| other.of() != shard.of()).into_iter().chain(before.first()) {
            check(store, &manifest, *other)?;
        }
        if before.contains(&shard) {
            let earlier = Manifest::read(&path)?;
            check(store, &manifest, shard)?;
            let (done, all) = (earlier.finished.len(), manifest.range().count());
            if !flags.resume {
                return Err(CliError::Failure(format!(
                    "part {shard} in {} was begun before ({done} of {all} images): continue it with --resume, or name another folder",
                    store.folder().display()
                )));
            }
            manifest.finished = earlier.finished;
        }
        let mut part = Self { store: store.clone(), manifest, recipe, scale, _lock: lock };
        part.forget_what_is_lost();
        part.write_metadata()?;
        part.save()?;
        Ok(part)
    }

    /// The part as it is.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Images that were deleted or changed since they were finished are not finished.
    fn forget_what_is_lost(&mut self) {
        let (folder, run) = (self.store.folder(), &self.manifest.run);
        self.manifest.finished.retain(|position, checksum| {
            let file = folder.join(run.file(*position));
            let lost = match read_regular(&file) {
                Ok(bytes) if Checksum::of(&bytes) == *checksum => return true,
                Ok(_) => "was changed",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted",
                Err(_) => "cannot be read",
            };
            output::note(format_args!("{} {lost}: it is made again", file.display()));
            false
        });
    }

    /// Makes the folders of the layout, and writes what its scorer wants to know of each prompt.
    fn write_metadata(&self) -> Result<(), CliError> {
        let (folders, files) = self.manifest.run.surroundings(&self.manifest.range());
        folders.iter().try_for_each(|folder| make_folder(&self.store.folder().join(folder)))?;
        files.iter().try_for_each(|(file, text)| Target::new(&self.store.folder().join(file))?.write(text.as_bytes()))
    }

    fn save(&self) -> Result<(), CliError> {
        self.manifest.write(&self.store.manifest(self.manifest.shard))
    }

    /// Encodes and writes pictures as they come, until no more will come; what is written is recorded, whatever happens.
    pub(crate) fn record(&mut self, batches: &Receiver<Vec<(u64, Picture)>>) -> Result<(), CliError> {
        let (mut saved, mut pause) = (Instant::now(), Duration::ZERO);
        let mut take = |part: &mut Self, batch: Vec<(u64, Picture)>| {
            for (position, picture) in batch {
                part.add(position, &picture)?;
            }
            if saved.elapsed() >= pause {
                let started = Instant::now();
                part.save()?;
                saved = Instant::now();
                pause = started.elapsed() * BETWEEN_MANIFESTS;
            }
            Ok(())
        };
        let taken = batches.iter().try_for_each(|batch| take(self, batch));
        let last = self.save();
        taken.and(last)
    }

    fn add(&mut self, position: u64, picture: &Picture) -> Result<(), CliError> {
        let run = &self.manifest.run;
        let png = self.recipe.png(run.numbering, position, picture, self.scale)?;
        Target::new(&self.store.folder().join(run.file(position)))?.write(&png)?;
        self.manifest.finished.insert(position, Checksum::of(&png));
        Ok(())
    }
}

/// Refuses a part of another run in the same folder.
fn check(store: &Store, manifest: &Manifest, other: Shard) -> Result<(), CliError> {
    let folder = store.folder().display();
    if other.of() != manifest.shard.of() {
        let (there, here) = (other.of(), manifest.shard.of());
        return Err(CliError::Failure(format!(
            "{folder} has a run in {there} parts, this is one in {here}: name another folder"
        )));
    }
    match Manifest::read(&store.manifest(other))?.run.difference(&manifest.run) {
        None => Ok(()),
        Some(difference) => Err(CliError::Failure(format!(
            "part {other} in {folder} is of another run: {difference}; name another folder"
        ))),
    }
}
