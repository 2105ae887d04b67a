//! Destination and shard of a run of many images.

use std::path::{Path, PathBuf};

use super::export::is_npz;
use super::layout::Layout;
use super::shard::Shard;
use super::store::Store;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::output::{Target, check_folder};

/// Destination of many images.
#[derive(Debug)]
pub(crate) struct Place {
    /// Folder of the images.
    pub(crate) store: Store,
    /// Archive to write when all images are finished.
    pub(crate) npz: Option<PathBuf>,
    /// Shard to generate.
    pub(crate) shard: Shard,
    /// Layout of the folder.
    pub(crate) layout: Layout,
    /// True if an earlier run has finished the archive.
    pub(crate) finished: bool,
    /// True if the shard is locked; false with --no-lock.
    pub(crate) locks: bool,
    /// Metadata of each prompt for the layout.
    pub(crate) metadata: Option<Vec<String>>,
}

impl Place {
    /// Reads the command line; `None` if it does not request a run of many images. Checks that the images can be written, before
    /// a model is loaded.
    pub(crate) fn new(args: &SampleArgs) -> Result<Option<Self>, CliError> {
        let (bulk, out) = (&args.bulk, &args.out);
        let npz = is_npz(out);
        if !npz && bulk.channels.is_some() {
            return Err(CliError::usage("--channels needs an archive: use a .npz file as --out"));
        }
        if !npz && bulk.classes.is_none() && bulk.layout.is_none() && bulk.shard.is_none() && !bulk.resume {
            return Ok(None);
        }
        let layout = bulk.layout.unwrap_or(Layout::Flat);
        if layout != Layout::Flat && npz {
            return Err(CliError::usage("--layout needs a folder as --out"));
        }
        if args.trace.is_some() {
            return Err(CliError::usage("--trace cannot record many images: use a PNG file or a folder as --out"));
        }
        let shard = bulk.shard.map(|flag| flag.resolve(|name| std::env::var(name).ok())).transpose()?;
        let folder = if npz { parts_of(out) } else { out.clone() };
        let mut finished = false;
        if npz {
            Target::new(out)?;
            // The shards are removed when the archive is written.
            finished = bulk.resume && out.exists() && !folder.exists();
            if out.exists() && !folder.exists() && !bulk.resume && !bulk.overwrite {
                return Err(CliError::Failure(format!(
                    "{} already exists: use another file, or --overwrite to replace it",
                    out.display()
                )));
            }
        }
        // A trailing slash marks a folder, regardless of its extension.
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

/// Returns the folder for the images of an archive.
fn parts_of(npz: &Path) -> PathBuf {
    let mut name = npz.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    npz.with_file_name(name)
}
