//! What the name of a file says.

use std::fs;
use std::path::Path;

/// Whether a path is `-`: standard input where something is read, standard output where something is written. A file of that name is
/// `./-`.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// The ending of a name in lower case, without its dot; none if it has none.
pub fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

/// Whether anything may be written there whatever the name is: standard output, a device or a pipe.
pub fn is_free(path: &Path) -> bool {
    is_stream(path) || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Whether a path ends in a separator and so means a folder.
pub fn names_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Whether a path asks for a folder: one is there, or the path ends in a separator.
pub fn is_folder(path: &Path) -> bool {
    names_folder(path) || path.is_dir()
}

/// Whether a path asks for an archive of NumPy.
pub fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

/// Whether a file is one that systems put beside others unasked: hidden ones, as `._00000.png` and `.DS_Store` of macOS, and those of
/// Windows. It is no picture, whatever its ending, and a folder that holds nothing else is empty.
pub fn is_companion(name: &Path) -> bool {
    let name = name.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || [&b"Thumbs.db"[..], b"desktop.ini"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
