//! Where many images go, and which of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::export::is_npz;
use super::layout::Layout;
use super::shard::Shard;
use super::store::Store;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::output::Target;

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
        if out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) || out.is_file() && !npz {
            return Err(CliError::usage(format_args!(
                "{} is no place for many images: name a folder or a .npz as --out",
                out.display()
            )));
        }
        let shard = bulk.shard.map(|flag| flag.resolve(|name| std::env::var(name).ok())).transpose()?;
        let folder = if npz { parts_of(out) } else { out.clone() };
        if npz {
            Target::new(out)?;
            if bulk.resume && out.exists() && !folder.exists() {
                return Err(CliError::Failure(format!(
                    "{} is finished, there is nothing to continue: remove it to make it again",
                    out.display()
                )));
            }
        }
        check(&folder)?;
        let shard = shard.unwrap_or(Shard::WHOLE);
        Ok(Some(Self { store: Store::at(&folder), npz: npz.then(|| out.clone()), shard, layout }))
    }
}

/// The folder in which the images of an archive gather.
fn parts_of(npz: &Path) -> PathBuf {
    let mut name = npz.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    npz.with_file_name(name)
}

/// Whether a folder can be written to, or made.
fn check(folder: &Path) -> Result<(), CliError> {
    if folder.is_dir() {
        return Target::new(&folder.join("00000.png")).map(drop);
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::metadata(parent) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        _ => Err(CliError::Failure(format!(
            "cannot make the folder {}: the folder {} does not exist; create it first",
            folder.display(),
            parent.display()
        ))),
    }
}
