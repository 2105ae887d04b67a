//! Generates the images of a shard in batches.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use gtr_backends::Picture;

use super::part::Part;
use super::store::ShardStore;
use crate::{Error, Interrupt, Notes};

/// Number of batches in the write queue. A longer queue only uses more memory.
const WAITING: usize = 1;

/// Generates the missing images of a shard in batches, while the previous batch is encoded and written. On a stop request it
/// ends after the current batch, or within it if the batch takes long. `sample` returns the images at the given positions of the
/// run, in the same order.
///
/// # Errors
/// [`Error::Interrupted`] if a stop was requested before all images were generated; the finished images are recorded.
/// [`Error::Failure`] if an image cannot be written. Errors of `sample` are passed on.
pub fn make(
    part: &mut Part,
    batch: usize,
    interrupt: &Interrupt,
    mut sample: impl FnMut(&[u64]) -> Result<Vec<Picture>, Error>,
) -> Result<(), Error> {
    let gaps = part.manifest().gaps();
    let mut positions = gaps.into_iter().flatten();
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Moved into this thread, so that a write error closes the channel.
            let receiver = receiver;
            part.record(&receiver, interrupt)
        });
        let made = loop {
            let batch: Vec<u64> = positions.by_ref().take(batch).collect();
            if batch.is_empty() {
                break Ok(());
            }
            if let Err(interrupted) = interrupt.check() {
                break Err(interrupted);
            }
            let pictures = match sample(&batch) {
                Ok(pictures) => pictures,
                Err(error) => break Err(error),
            };
            if sender.send(batch.into_iter().zip(pictures).collect()).is_err() {
                break Ok(());
            }
        };
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(made)
    })
}

/// Removes the shards of a run of many images from a folder if `overwrite` is set.
///
/// # Errors
/// [`Error::Failure`] if the folder has shards and `overwrite` is not set, or if a shard cannot be removed.
pub fn clear(folder: &Path, overwrite: bool, notes: &Notes) -> Result<(), Error> {
    let store = ShardStore::at(folder, notes.clone());
    if !store.is_begun() {
        return Ok(());
    }
    if overwrite {
        return store.forget_all();
    }
    let shown = folder.display();
    Err(Error::Failure(format!(
        "{shown} has another run, whose parts are in {shown}/shards: use another folder, or --overwrite to replace it"
    )))
}
