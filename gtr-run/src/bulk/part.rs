//! A shard that is being generated.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use gtr_backends::Picture;

use super::checksum::Checksum;
use super::destination::{Before, BulkDestination};
use super::export::LABELS;
use super::lock::Lock;
use super::manifest::{Manifest, Run};
use super::shard::Shard;
use super::store::ShardStore;
use crate::folder::make_folder;
use crate::reading::read_regular;
use crate::series::{Recipe, previous};
use crate::target::Target;
use crate::{Error, Interrupt};

/// Smallest ratio between the interval of manifest writes and the time of one write. Writing manifests then takes at most a
/// twentieth of the time.
const BETWEEN_MANIFESTS: u32 = 20;

/// Polling interval for stop requests.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A shard that only this process is generating.
#[derive(Debug)]
pub struct Part {
    store: ShardStore,
    manifest: Manifest,
    recipe: Recipe,
    scale: usize,
    /// `None` with --no-lock: the user guarantees that no other process generates the shard.
    _lock: Option<Lock>,
}

impl Part {
    /// Starts or resumes a shard. The images in its files are enlarged by `scale` in both directions.
    ///
    /// # Errors
    /// [`Error::Failure`] if the folder has shards or files of another run, or of this run with `Before::Refuse`; if another process
    /// is generating the shard; or if a file cannot be written.
    pub fn open(
        place: &BulkDestination,
        before: Before,
        run: Run,
        (recipe, scale): (Recipe, usize),
    ) -> Result<Self, Error> {
        let (store, shard) = (&place.store, place.shard);
        store.create()?;
        let lock = if place.locks { Some(Lock::take(&store.lock(shard), store.notes())?) } else { None };
        let path = store.manifest(shard);
        let mut manifest = Manifest::new(run, shard);
        if before == Before::Replace {
            store.forget_others(&manifest)?;
        }
        let there = store.shards()?;
        // All shards in a folder must be from the same run with the same number of shards.
        for other in there.iter().find(|other| other.of() != shard.of()).into_iter().chain(there.first()) {
            check(store, &manifest, *other)?;
        }
        if there.contains(&shard) {
            let earlier = Manifest::read(&path)?;
            check(store, &manifest, shard)?;
            let (done, all) = (earlier.finished.len(), manifest.range().count());
            match before {
                Before::Refuse => {
                    return Err(Error::Failure(format!(
                        "part {shard} in {} already exists ({done} of {}): use --resume to continue it, --overwrite to \
                         replace it, or another folder",
                        store.folder().display(),
                        gtr_core::count(all, "image")
                    )));
                }
                Before::Continue => manifest.finished = earlier.finished,
                Before::Replace => {}
            }
        }
        let mut part = Self { store: store.clone(), manifest, recipe, scale, _lock: lock };
        if before != Before::Replace {
            part.refuse_foreign_files(there.is_empty())?;
        }
        part.forget_what_is_lost();
        part.write_metadata()?;
        part.save()?;
        Ok(part)
    }

    /// Returns an error for existing files that are not from this run. Files missing in the manifest may be from this run if it
    /// was killed.
    fn refuse_foreign_files(&self, is_first: bool) -> Result<(), Error> {
        let (folder, run) = (self.store.folder(), &self.manifest.run);
        let refuse = |file: &Path| Err(Error::Failure(previous::not_of_this_run(folder, file)));
        let labels = folder.join(LABELS);
        if is_first && self.manifest.shard.of() == 1 && labels.is_file() {
            return refuse(&labels);
        }
        for (position, file) in run.files_there(folder, &self.manifest.range()) {
            let known = self.manifest.finished.contains_key(&position);
            if !known && !previous::is_of(&self.recipe, run.numbering, position, self.scale, &file) {
                return refuse(&file);
            }
        }
        Ok(())
    }

    /// Manifest of the shard.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Removes deleted and changed images from the finished ones.
    fn forget_what_is_lost(&mut self) {
        let (store, run) = (&self.store, &self.manifest.run);
        self.manifest.finished.retain(|position, checksum| {
            let file = store.folder().join(run.file(*position));
            let lost = match read_regular(&file) {
                Ok(bytes) if Checksum::of(&bytes) == *checksum => return true,
                Ok(_) => "was changed",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted",
                Err(_) => "cannot be read",
            };
            store.notes().say(format_args!("{} {lost}: generating it again", file.display()));
            false
        });
    }

    /// Creates the folders of the layout and writes the metadata files of its scorer.
    fn write_metadata(&self) -> Result<(), Error> {
        let (folders, files) = self.manifest.run.surroundings(&self.manifest.range());
        folders.iter().try_for_each(|folder| make_folder(&self.store.folder().join(folder)))?;
        files.iter().try_for_each(|(file, text)| Target::new(&self.store.folder().join(file))?.write(text.as_bytes()))
    }

    fn save(&self) -> Result<(), Error> {
        self.manifest.write(&self.store.manifest(self.manifest.shard))
    }

    /// Encodes and writes images until the channel closes. Written images are always recorded in the manifest.
    pub(super) fn record(
        &mut self,
        batches: &Receiver<Vec<(u64, Picture)>>,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let (mut saved, mut pause) = (Instant::now(), Duration::ZERO);
        let mut is_saved = false;
        let taken = loop {
            let batch = match batches.recv_timeout(BETWEEN_LOOKS) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
                // Save: the process may exit before the next batch.
                Err(RecvTimeoutError::Timeout) => {
                    if !is_saved && interrupt.requested().is_some() {
                        self.save()?;
                        is_saved = true;
                    }
                    continue;
                }
            };
            is_saved = false;
            if let Err(error) = batch.into_iter().try_for_each(|(position, picture)| self.add(position, &picture)) {
                break Err(error);
            }
            if saved.elapsed() >= pause {
                let started = Instant::now();
                self.save()?;
                (saved, is_saved) = (Instant::now(), true);
                pause = started.elapsed() * BETWEEN_MANIFESTS;
            }
        };
        let last = self.save();
        taken.and(last)
    }

    fn add(&mut self, position: u64, picture: &Picture) -> Result<(), Error> {
        let run = &self.manifest.run;
        let png = self.recipe.png(run.numbering, position, picture, self.scale)?;
        Target::new(&self.store.folder().join(run.file(position)))?.write(&png)?;
        self.manifest.finished.insert(position, Checksum::of(&png));
        Ok(())
    }
}

/// Returns an error if a shard in the folder is from another run.
fn check(store: &ShardStore, manifest: &Manifest, other: Shard) -> Result<(), Error> {
    let folder = store.folder().display();
    if other.of() != manifest.shard.of() {
        let (there, here) = (gtr_core::count(other.of(), "part"), manifest.shard.of());
        return Err(Error::Failure(format!(
            "{folder} has a run in {there}, this is one in {here}: use another folder, or --overwrite to replace it"
        )));
    }
    match Manifest::read(&store.manifest(other))?.run.difference(&manifest.run) {
        None => Ok(()),
        Some(difference) => Err(Error::Failure(format!(
            "part {other} in {folder} is from another run: {difference}; use another folder, or --overwrite to replace it"
        ))),
    }
}
