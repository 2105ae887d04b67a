//! Where many images go, and which of them.

use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::shard::Shard;
use super::store::Store;
use crate::folder::check_folder;
use crate::path::is_npz;
use crate::target::Target;
use crate::{Error, Notes};

/// What is done with what an earlier run left in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is kept, and this run does not begin.
    Refuse,
    /// It is continued, if it is of this run.
    Continue,
    /// It is replaced.
    Replace,
}

/// What is asked of a place.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// A folder, or an archive of NumPy, beside which a folder keeps the images until it is written.
    pub out: &'a Path,
    /// How the files of the folder are laid out.
    pub layout: Layout,
    /// The part that is made.
    pub shard: Shard,
    /// What is done with what an earlier run left.
    pub before: Before,
    /// Whether a lock keeps other processes from the part; otherwise the caller sees to that.
    pub locks: bool,
}

/// Where many images go.
#[derive(Debug)]
pub struct Place {
    /// The folder in which they gather.
    pub store: Store,
    /// The archive that they become in the end.
    pub npz: Option<PathBuf>,
    /// The part of them that is made here.
    pub shard: Shard,
    /// How their files are laid out.
    pub layout: Layout,
    /// Whether an earlier run has made all of them.
    pub finished: bool,
    /// Whether a lock keeps other processes from the part; otherwise the user sees to that.
    pub locks: bool,
    /// What the layout says of each prompt.
    pub metadata: Option<Vec<String>>,
}

impl Place {
    /// Finds out whether the images can be written, before a model is loaded.
    ///
    /// # Errors
    /// [`Error::Request`] for a path that names no folder, [`Error::Failure`] for one that cannot be written to, and for an archive
    /// that is there already and may not be replaced.
    pub fn new(request: &Request<'_>, notes: &Notes) -> Result<Self, Error> {
        let Request { out, layout, shard, before, locks } = *request;
        let npz = is_npz(out);
        let folder = if npz { parts_of(out) } else { out.to_owned() };
        let mut finished = false;
        if npz {
            Target::new(out)?;
            // Its parts are removed when it is written.
            let is_written = out.exists() && !folder.exists();
            finished = before == Before::Continue && is_written;
            if is_written && before == Before::Refuse {
                return Err(Error::Failure(format!(
                    "{} is there already: name another file, or give --overwrite to replace it",
                    out.display()
                )));
            }
        }
        // The slash says that it is a folder, whatever it ends in.
        check_folder(&if npz { folder.join("") } else { folder.clone() })?;
        Ok(Self {
            store: Store::at(&folder, notes.clone()),
            npz: npz.then(|| out.to_owned()),
            shard,
            layout,
            finished,
            locks,
            metadata: None,
        })
    }
}

/// The folder in which the images of an archive gather.
fn parts_of(npz: &Path) -> PathBuf {
    let mut name = npz.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    npz.with_file_name(name)
}
