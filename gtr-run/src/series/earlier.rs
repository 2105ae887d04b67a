//! What an earlier run left in a folder: a run replaces what it has made itself, and nothing else.

use std::fs::{self, File};
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gtr_core::ImageIndex;

use super::numbering::{Numbering, file_name};
use super::record::{self, Recipe};

/// The files that are there of images at some positions of a run, each with its position, in order.
pub(crate) fn files(folder: &Path, numbering: Numbering, positions: &Range<u64>) -> Vec<(u64, PathBuf)> {
    // Fewer than there are positions, which may be billions.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let number = name.strip_suffix(".png")?.parse().ok()?;
        let position = numbering.position(ImageIndex(number)).filter(|position| positions.contains(position))?;
        let path = entry.path();
        (name == file_name(ImageIndex(number)) && path.is_file()).then_some((position, path))
    };
    let mut files: Vec<_> = entries.filter_map(file).collect();
    files.sort_unstable();
    files
}

/// Whether a file says that it is the image of this run at a position.
pub(crate) fn is_of(recipe: &Recipe, numbering: Numbering, position: u64, scale: usize, file: &Path) -> bool {
    let recorded = recorded(file);
    recorded.is_some_and(|recorded| recorded == recipe.alone(numbering, position, scale).recorded())
}

/// What a PNG file records: settings and plan.
fn recorded(file: &Path) -> Option<[String; 2]> {
    let recorded = record::recorded(BufReader::new(File::open(file).ok()?)).ok()??;
    Some([recorded.parameters, recorded.plan.ok()?])
}

/// Why a file is not replaced.
pub(crate) fn not_of_this_run(folder: &Path, file: &Path) -> String {
    let (folder, file) = (folder.display(), file.display());
    format!(
        "{file} is not of this run: name another folder than {folder}, or give --overwrite to replace what is there"
    )
}
