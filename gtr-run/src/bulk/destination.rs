//! Destination and shard of a run of many images.

use std::path::{Path, PathBuf};

use super::layout::FolderLayout;
use super::shard::Shard;
use super::store::ShardStore;
use crate::folder::check_folder;
use crate::path::is_npz;
use crate::target::Target;
use crate::{Error, Notes};

/// Treatment of the results of an earlier run at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Keep them and return an error.
    Refuse,
    /// Resume them if they are from the same run, otherwise return an error.
    Continue,
    /// Replace them.
    Replace,
}

/// Settings of a [`BulkDestination`].
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// A folder, or a `.npz` archive. The images of an archive are stored in a folder next to it until it is written.
    pub out: &'a Path,
    /// Layout of the folder.
    pub layout: FolderLayout,
    /// Shard to generate.
    pub shard: Shard,
    /// Treatment of the results of an earlier run.
    pub before: Before,
    /// True to lock the shard; if false, the caller must prevent concurrent runs of the shard.
    pub locks: bool,
}

/// Destination of many images.
#[derive(Debug)]
pub struct BulkDestination {
    /// Folder of the images.
    pub store: ShardStore,
    /// Archive to write when all images are finished.
    pub npz: Option<PathBuf>,
    /// Shard to generate.
    pub shard: Shard,
    /// Layout of the folder.
    pub layout: FolderLayout,
    /// True if an earlier run has finished the archive.
    pub finished: bool,
    /// True if the shard is locked; false with --no-lock.
    pub locks: bool,
    /// Metadata of each prompt for the layout.
    pub metadata: Option<Vec<String>>,
}

impl BulkDestination {
    /// Checks that the images can be written, before a model is loaded.
    ///
    /// # Errors
    /// [`Error::Request`] if the path cannot be the name of a folder, [`Error::Failure`] if it cannot be written to, or if the archive
    /// already exists and must not be replaced.
    pub fn new(request: &Request<'_>, notes: &Notes) -> Result<Self, Error> {
        let Request { out, layout, shard, before, locks } = *request;
        let npz = is_npz(out);
        let folder = if npz { parts_of(out) } else { out.to_owned() };
        let mut finished = false;
        if npz {
            Target::new(out)?;
            // The shards are removed when the archive is written.
            let is_written = out.exists() && !folder.exists();
            finished = before == Before::Continue && is_written;
            if is_written && before == Before::Refuse {
                return Err(Error::Failure(format!(
                    "{} already exists: use another file, or --overwrite to replace it",
                    out.display()
                )));
            }
        }
        // A trailing slash marks a folder, regardless of its extension.
        check_folder(&if npz { folder.join("") } else { folder.clone() })?;
        Ok(Self {
            store: ShardStore::at(&folder, notes.clone()),
            npz: npz.then(|| out.to_owned()),
            shard,
            layout,
            finished,
            locks,
            metadata: None,
        })
    }
}

/// Returns the folder for the images of an archive.
fn parts_of(npz: &Path) -> PathBuf {
    let mut name = npz.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    npz.with_file_name(name)
}
