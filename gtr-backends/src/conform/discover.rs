//! Finds recordings in folders.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::checks::Checks;
use super::folder::Folder;
use super::recording::Recording;
use super::report::ConformReport;
use super::{FILES, FOLDERS, FolderKind, Inputs, trace};
use crate::BackendError;

/// Maximum depth of the search below a path.
const DEEPEST: usize = 4;
/// Largest accepted number of entries of a folder.
const MOST_ENTRIES: usize = 1 << 14;

/// Checks the recordings at `path`, a file or a folder.
pub(super) fn visit(path: &Path, report: &mut ConformReport, inputs: &Inputs<'_>) -> Result<(), BackendError> {
    let read = |source| BackendError::Read { path: path.to_owned(), source };
    let whole = path.canonicalize().map_err(read)?;
    if whole.is_dir() {
        return folder(path, &whole, report, inputs, 0);
    }
    let Some(stem) = stem(&whole) else {
        return Err(BackendError::NoRecording(format!(
            "{} is not a recording: expected a name ending in .json, .safetensors or .pth",
            path.display()
        )));
    };
    let parent = whole.parent().unwrap_or(Path::new("/"));
    let shown = path.parent().unwrap_or(Path::new(""));
    if file(&whole, &shown.join(&stem), report, inputs) {
        return Ok(());
    }
    if let Some(kind) = folder_kind(parent) {
        let mut found = entries(shown, parent, inputs)?;
        found.only = Some(stem);
        check_folder(kind, &found, report, inputs);
        return Ok(());
    }
    Err(BackendError::NoRecording(format!("{} is not a recording: unknown name", path.display())))
}

/// Returns the name without the extension of a recording.
fn stem(path: &Path) -> Option<String> {
    // Skip hidden files, such as `._name.json` of macOS.
    let name = path.file_name()?.to_str().filter(|name| !name.starts_with('.'))?;
    [".json", ".safetensors", ".pth"].into_iter().find_map(|ending| name.strip_suffix(ending)).map(str::to_owned)
}

fn folder_kind(path: &Path) -> Option<&'static FolderKind> {
    let name = path.file_name()?.to_str()?;
    FOLDERS.iter().find(|kind| name.starts_with(kind.prefix))
}

fn entries(shown: &Path, whole: &Path, inputs: &Inputs<'_>) -> Result<Folder, BackendError> {
    let read = |source| BackendError::Read { path: shown.to_owned(), source };
    let mut stems = BTreeSet::new();
    for (count, entry) in fs::read_dir(whole).map_err(read)?.enumerate() {
        if count >= MOST_ENTRIES {
            return Err(read(io::Error::other(format!("it has more than {MOST_ENTRIES} entries"))));
        }
        stems.extend(stem(&entry.map_err(read)?.path()));
    }
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Folder { path: shown.to_owned(), name, stems, only: None, compute: inputs.options.compute.clone() })
}

fn check_folder(kind: &FolderKind, found: &Folder, report: &mut ConformReport, inputs: &Inputs<'_>) {
    let mut checks = Checks::new(report, inputs, &found.name);
    if let Err(error) = (kind.check)(found, &mut checks) {
        checks.problem(&error);
    }
}

/// Checks the recordings in a folder. `shown` is the path given by the user, `whole` the canonical path.
fn folder(
    shown: &Path,
    whole: &Path,
    report: &mut ConformReport,
    inputs: &Inputs<'_>,
    depth: usize,
) -> Result<(), BackendError> {
    let found = entries(shown, whole, inputs)?;
    if let Some(kind) = folder_kind(whole) {
        check_folder(kind, &found, report, inputs);
        return Ok(());
    }
    for stem in &found.stems {
        let path = whole.join(stem);
        if !file(&super::recording::ending(&path, "safetensors"), &shown.join(stem), report, inputs) {
            Checks::new(report, inputs, stem).note("not checked: unknown name");
        }
    }
    let read = |source| BackendError::Read { path: shown.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(whole).map_err(read)?.take(MOST_ENTRIES) {
        let path = entry.map_err(read)?.path();
        // `files` holds test files of other libraries, not recordings.
        let other = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.') || name == "files");
        if !other && path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    if depth < DEEPEST {
        for path in folders {
            // A symbolic link may form a cycle.
            let target = path.canonicalize().map_err(read)?;
            if !whole.starts_with(&target) {
                folder(&shown.join(path.file_name().unwrap_or_default()), &target, report, inputs, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// Checks a single-file recording or a trace. Returns false if the file is neither. `shown` has no extension.
fn file(whole: &Path, shown: &Path, report: &mut ConformReport, inputs: &Inputs<'_>) -> bool {
    let stem = shown.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut checks = Checks::new(report, inputs, &stem);
    let result = if let Some(kind) = FILES.iter().find(|kind| stem.starts_with(kind.prefix)) {
        Recording::open(shown, &inputs.options.compute).and_then(|recording| {
            let result = (kind.check)(&recording, &mut checks);
            if result.is_ok() {
                checks.unused(&recording);
            }
            result
        })
    } else if trace::is_trace(whole) {
        trace::check(whole, &mut checks)
    } else {
        return false;
    };
    if let Err(error) = result {
        checks.problem(&error);
    }
    true
}
