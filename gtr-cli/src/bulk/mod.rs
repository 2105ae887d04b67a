//! Runs of many images in shards, which can be interrupted, resumed and merged.
//!
//! An image has the same bits in any shard, so the merged shards equal the result of a single process.

mod checksum;
mod export;
mod gather;
mod holder;
mod layout;
mod lock;
mod manifest;
mod npz;
mod part;
mod place;
pub(crate) mod prompts;
mod quad;
mod shard;
mod store;

use std::sync::mpsc;
use std::thread;

use gtr_backends::Picture;

pub(crate) use self::checksum::Checksum;
pub(crate) use self::export::{Destination, LABELS, is_npz};
pub(crate) use self::gather::Gathered;
pub(crate) use self::layout::Layout;
pub(crate) use self::lock::{Lock, Taken};
pub(crate) use self::manifest::Run;
pub(crate) use self::part::{Before, Part};
pub(crate) use self::place::Place;
pub(crate) use self::shard::ShardFlag;
pub(crate) use self::store::{Store, is_companion, open_regular};
use crate::error::CliError;
use crate::signals::Stop;

/// Number of batches in the write queue. A longer queue only uses more memory.
const WAITING: usize = 1;

/// Generates the missing images of a shard in batches, while the previous batch is encoded and written. On a stop request it
/// ends after the current batch, or within it if the batch takes long.
pub(crate) fn make(
    part: &mut Part,
    batch: usize,
    stop: Stop,
    mut sample: impl FnMut(&[u64]) -> Result<Vec<Picture>, CliError>,
) -> Result<(), CliError> {
    let gaps = part.manifest().gaps();
    let mut positions = gaps.into_iter().flatten();
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Moved into this thread, so that a write error closes the channel.
            let receiver = receiver;
            part.record(&receiver, stop)
        });
        let made = loop {
            let batch: Vec<u64> = positions.by_ref().take(batch).collect();
            if batch.is_empty() || stop.asked().is_some() {
                break Ok(());
            }
            let pictures = match sample(&batch) {
                Ok(pictures) => pictures,
                Err(CliError::Stopped) => break Ok(()),
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
