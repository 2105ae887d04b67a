//! Where many images go, and which of them.

use std::path::{Path, PathBuf};

use super::export::is_npz;
use super::layout::Layout;
use super::shard::Shard;
use super::store::Store;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::output::{Target, check_folder};

/// Where many images go.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder in which they gather.
    pub(crate) store: Store,
    /// The archive that they become in the end.
    pub(crate) npz: Option<PathBuf>,
    /// The part of them that is made here.
    pub(crate) shard: Shard,
    /// How their files are laid out.
    pub(crate) layout: Layout,
    /// Whether an earlier run has made all of them.
    pub(crate) finished: bool,
    /// Whether a lock keeps other processes from the part; otherwise the user sees to that.
    pub(crate) locks: bool,
    /// What the layout says of each prompt.
    pub(crate) metadata: Option<Vec<String>>,
}

impl Place {
    /// What the command line says, if it asks for many images at all: finds out whether they can be written, before a model
    /// is loaded.
    pub(crate) fn new(args: &SampleArgs) -> Result<Option<Self>, CliError> {
        let (bulk, out) = (&args.bulk, &args.out);
        let npz = is_npz(out);
        if !npz && bulk.channels.is_some() {
            return Err(CliError::usage("--channels is for archives: name a .npz as --out"));
        }
        if !npz && bulk.classes.is_none() && bulk.layout.is_none() && bulk.shard.is_none() && !bulk.resume {
            return Ok(None);
        }
        let layout = bulk.layout.unwrap_or(Layout::Flat);
        if layout != Layout::Flat && npz {
            return Err(CliError::usage("--layout is of folders: name one as --out"));
        }
        if args.trace.is_some() {
            return Err(CliError::usage("--trace records single runs: name a picture or a folder as --out"));
        }
        let shard = bulk.shard.map(|flag| flag.resolve(|name| std::env::var(name).ok())).transpose()?;
        let folder = if npz { parts_of(out) } else { out.clone() };
        let mut finished = false;
        if npz {
            Target::new(out)?;
            // Its parts are removed when it is written.
            finished = bulk.resume && out.exists() && !folder.exists();
            if out.exists() && !folder.exists() && !bulk.resume && !bulk.overwrite {
                return Err(CliError::Failure(format!(
                    "{} is there already: name another file, or give --overwrite to replace it",
                    out.display()
                )));
            }
        }
        // The slash says that it is a folder, whatever it ends in.
        check_folder(&if npz { folder.join("") } else { folder.clone() })?;
        let shard = shard.unwrap_or(Shard::WHOLE);
        Ok(Some(Self {
            store: Store::at(&folder),
            npz: npz.then(|| out.clone()),
            shard,
            layout,
            finished,
            locks: !bulk.no_lock,
            metadata: None,
        }))
    }
}

/// The folder in which the images of an archive gather.
fn parts_of(npz: &Path) -> PathBuf {
    let mut name = npz.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    npz.with_file_name(name)
}
