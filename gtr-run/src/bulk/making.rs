//! The images of a part, made a batch at a time.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use gtr_backends::Picture;

use super::part::Part;
use super::store::Store;
use crate::{Error, Interrupt, Notes};

/// Batches that may wait to be written: more would only take memory.
const WAITING: usize = 1;

/// Makes the images that a part lacks, a batch at a time, while those before are encoded and written; ends after the batch
/// in hand, or within it if that takes long, when it is asked to stop. `sample` makes the pictures at some positions of the run, in
/// their order.
///
/// # Errors
/// [`Error::Interrupted`] if it was asked to stop before all images were made; those that were are recorded. What `sample` says, and
/// [`Error::Failure`] if an image cannot be written.
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
            // Moved here, so that a failure to write is told by a channel without listener.
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

/// Sees to it that a folder for a few images has no parts of a run of many: refuses them, or removes them to be overwritten.
///
/// # Errors
/// [`Error::Failure`] if there are some, or they cannot be removed.
pub fn clear(folder: &Path, overwrite: bool, notes: &Notes) -> Result<(), Error> {
    let store = Store::at(folder, notes.clone());
    if !store.is_begun() {
        return Ok(());
    }
    if overwrite {
        return store.forget_all();
    }
    let shown = folder.display();
    Err(Error::Failure(format!(
        "{shown} has another run, whose parts are in {shown}/shards: name another folder, or give --overwrite to replace it"
    )))
}
