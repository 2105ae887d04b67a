//! Properties of paths: standard streams, extensions, folders.

use std::fs;
use std::path::Path;

/// Returns true if a path is `-`, which stands for standard input or standard output. A file with this name is `./-`.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the extension of a name in lower case, without the dot, or `None` if it has no extension.
pub fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

/// Returns true if the extension has no meaning: for standard output, a device or a pipe.
pub fn is_free(path: &Path) -> bool {
    is_stream(path) || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Returns true if a path ends in a separator and therefore means a folder.
pub fn names_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Returns true if a path means a folder: it is a folder, or it ends in a separator.
pub fn is_folder(path: &Path) -> bool {
    names_folder(path) || path.is_dir()
}

/// Returns true if a path has the extension `.npz` of a NumPy archive.
pub fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

/// Returns true for files that operating systems create unasked: hidden files such as `._00000.png` and `.DS_Store` of macOS, and
/// `Thumbs.db` and `desktop.ini` of Windows. They never count as images, and a folder with nothing else counts as empty.
pub fn is_companion(name: &Path) -> bool {
    let name = name.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || [&b"Thumbs.db"[..], b"desktop.ini"].iter().any(|known| name.eq_ignore_ascii_case(known))
}
