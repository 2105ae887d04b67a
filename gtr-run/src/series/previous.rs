//! Files of earlier runs in a folder. A run replaces only its own files.

use std::fs::{self, File};
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gtr_core::ImageIndex;

use super::numbering::{Numbering, file_name};
use super::record::{self, Recipe};

/// Returns the existing files of images at some positions of a run, sorted by position.
pub(crate) fn files(folder: &Path, numbering: Numbering, positions: &Range<u64>) -> Vec<(u64, PathBuf)> {
    // List the folder: there may be billions of positions.
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

/// Returns true if the metadata of a file are those of the image at a position of this run.
pub(crate) fn is_of(recipe: &Recipe, numbering: Numbering, position: u64, scale: usize, file: &Path) -> bool {
    let recorded = recorded(file);
    recorded.is_some_and(|recorded| recorded == recipe.alone(numbering, position, scale).recorded())
}

/// Reads settings and plan from a PNG file.
fn recorded(file: &Path) -> Option<[String; 2]> {
    let recorded = record::recorded(BufReader::new(File::open(file).ok()?)).ok()??;
    Some([recorded.parameters, recorded.plan.ok()?])
}

/// Message for a file that is not replaced.
pub(crate) fn not_of_this_run(folder: &Path, file: &Path) -> String {
    let (folder, file) = (folder.display(), file.display());
    format!("{file} is not from this run: use another folder than {folder}, or --overwrite to replace its files")
}
