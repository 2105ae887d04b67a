//! Checksum of a model and all of its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::BackendError;
use crate::families::Families;
use crate::file_checksum::checksum;
use crate::models::{Files, Source, checkpoint_of};
use crate::sha256::hexadecimal;

/// Returns the SHA-256, in hexadecimal, of everything that affects the images of a model: its configuration, its
/// weights or their seed, its autoencoder, and the folder of its text encoder, if any.
///
/// Runs on different machines with the same fingerprint use the same files. Paths are not included. The checksum of a
/// large file is kept beside it, in `.NAME.sha256`, or in the user's cache folder, until the file changes.
///
/// # Errors
/// [`BackendError::UnknownModel`] if the model is neither a name nor a path, [`BackendError::Read`] if a file cannot be
/// read.
///
/// # Examples
/// ```
/// use gtr_backends::{Files, fingerprint};
/// let digits = fingerprint("digits", &Files::default(), None)?;
/// let random = fingerprint("digits", &Files { random: Some(0), ..Files::default() }, None)?;
/// assert_eq!((digits.len(), digits == random), (64, false));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn fingerprint(model: &str, files: &Files<'_>, text_encoder: Option<&Path>) -> Result<String, BackendError> {
    fingerprint_in(&Families::builtin(), model, files, text_encoder)
}

/// Like [`fingerprint`], for a model of any of `families`.
///
/// # Errors
/// Those of [`fingerprint`].
pub fn fingerprint_in(
    families: &Families,
    model: &str,
    files: &Files<'_>,
    text_encoder: Option<&Path>,
) -> Result<String, BackendError> {
    let found = families.find(model)?;
    let mut hasher = Sha256::new();
    match found.config() {
        Some((_, text)) => part(&mut hasher, "configuration", text.as_bytes()),
        // The name defines a published configuration.
        None => part(&mut hasher, "name", model.as_bytes()),
    }
    match (files.random, files.weights, found.source()) {
        (Some(seed), ..) => part(&mut hasher, "random", &seed.to_le_bytes()),
        (None, Some(weights), _) => stored(&mut hasher, "weights", weights)?,
        (None, None, Source::BuiltIn(embedded)) => part(&mut hasher, "weights", embedded.weights),
        (None, None, Source::Published) => {}
        (None, None, Source::OnDisk { path, .. }) => stored(&mut hasher, "weights", &checkpoint_of(path)?)?,
    }
    if let Some(section) = files.section {
        part(&mut hasher, "section", section.as_bytes());
    }
    if let Some(path) = files.vae {
        stored(&mut hasher, "autoencoder", path)?;
    }
    if let Some(path) = text_encoder {
        stored(&mut hasher, "text encoder", path)?;
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// Hashes a part. Label and length separate the parts.
fn part(hasher: &mut Sha256, label: &str, bytes: &[u8]) {
    hasher.update((label.len() as u64).to_le_bytes());
    hasher.update(label.as_bytes());
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Hashes a file, or the files of a folder sorted by name.
fn stored(hasher: &mut Sha256, label: &str, path: &Path) -> Result<(), BackendError> {
    let wrong = |path: &Path, source| BackendError::Read { path: path.to_owned(), source };
    if !path.is_dir() {
        return whole(hasher, label, path).map_err(|source| wrong(path, source));
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.map_err(|source| wrong(path, source))?;
    entries.sort();
    // Hidden files, such as those of macOS, are not part of the model.
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    for file in entries.iter().filter(|path| path.is_file() && !hidden(path)) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        whole(hasher, &format!("{label}/{name}"), file).map_err(|source| wrong(file, source))?;
    }
    Ok(())
}

/// Hashes the checksum of a file.
fn whole(hasher: &mut Sha256, label: &str, path: &Path) -> io::Result<()> {
    part(hasher, label, &checksum(path)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (weights, other) = (file("weights.pth", "a"), file("other.pth", "b"));
        let of = |files: Files<'_>, encoder| fingerprint("mar-b", &files, encoder).unwrap();
        let plain = Files { weights: Some(&weights), ..Files::default() };
        let all = [
            of(plain, None),
            of(Files { weights: Some(&other), ..plain }, None),
            of(Files { vae: Some(&weights), ..plain }, None),
            of(Files { vae: Some(&other), ..plain }, None),
            of(plain, Some(folder.path())),
            of(Files { random: Some(1), ..Files::default() }, None),
        ];
        for (position, fingerprint) in all.iter().enumerate() {
            assert!(!all[..position].contains(fingerprint), "{position}");
        }
        // The path of a file does not matter.
        assert_eq!(of(Files { weights: Some(&file("moved.pth", "a")), ..Files::default() }, None), all[0]);
        assert!(fingerprint("mar-b", &Files { weights: Some(Path::new("none.pth")), ..plain }, None).is_err());
    }
}
