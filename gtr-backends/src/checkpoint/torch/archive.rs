//! Zip archives, which `torch.save` writes since 1.6: a pickle, and one entry per storage.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use crate::checkpoint::Source;

/// Largest accepted pickle, in bytes. Real checkpoints have at most a few megabytes.
pub(super) const LARGEST_PICKLE: u64 = 16 << 20;
/// Largest accepted number of entries.
const MOST_ENTRIES: usize = 1 << 18;
/// Largest compression ratio of deflate.
const LARGEST_RATIO: u64 = 1032;

pub(super) struct Archive {
    zip: ZipArchive<Source>,
    length: u64,
    /// Folder inside the archive, such as `checkpoint-last/`.
    folder: String,
    pub(super) big_endian: bool,
    /// Entries whose checksum was verified.
    verified: HashSet<usize>,
}

impl Archive {
    /// Opens an archive and returns it with its pickle.
    pub(super) fn open(mut source: Source) -> Result<(Self, Vec<u8>), String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let zip = ZipArchive::new(source).map_err(|error| {
            format!(
                "the zip directory at its end is damaged or missing ({error}): the file may be truncated; download or \
                 copy it again"
            )
        })?;
        if zip.len() > MOST_ENTRIES {
            return Err(format!("it has {} entries, expected at most {MOST_ENTRIES}", zip.len()));
        }
        let names = || zip.file_names().flatten();
        let folder = names()
            .filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned))
            .find(|folder| folder.is_empty() || folder.ends_with('/'));
        let Some(folder) = folder else {
            let what = if names().any(|name| name.ends_with(".npy")) { "a NumPy archive" } else { "a zip archive" };
            return Err(format!(
                "it is {what} without `data.pkl`, not one of torch.save; if it contains a checkpoint, extract it"
            ));
        };
        let mut archive = Self { zip, length, folder, big_endian: false, verified: HashSet::new() };
        if archive.zip.index_for_name(&format!("{}constants.pkl", archive.folder)).is_some() {
            return Err(
                "it is a TorchScript program (torch.jit.save), not a checkpoint; save its `state_dict()` with torch.save".into()
            );
        }
        // Archives of old versions have no such entry and are little endian.
        if archive.zip.index_for_name(&format!("{}byteorder", archive.folder)).is_some() {
            archive.big_endian = match archive.whole("byteorder", 16)?.as_slice() {
                b"little" => false,
                b"big" => true,
                other => {
                    let other = String::from_utf8_lossy(other);
                    return Err(format!("expected little or big as its byte order, found `{other}`"));
                }
            };
        }
        let pickle = archive.whole("data.pkl", LARGEST_PICKLE)?;
        Ok((archive, pickle))
    }

    /// Reads a whole entry of fewer than `limit` bytes.
    fn whole(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.read(name, 0, limit, &mut bytes)?;
        if bytes.len() as u64 == limit {
            let path = format!("{}{name}", self.folder);
            return Err(format!("its entry `{path}` cannot be read: it is larger than {limit} bytes"));
        }
        Ok(bytes)
    }

    /// Reads at most `limit` bytes of an entry from `start` into `bytes`. Memory use grows with the actual data, not
    /// with stated sizes. The first read of an entry verifies the checksum of the whole entry.
    pub(super) fn read(&mut self, name: &str, start: u64, limit: u64, bytes: &mut Vec<u8>) -> Result<(), String> {
        let path = format!("{}{name}", self.folder);
        let wrong = |reason: String| format!("its entry `{path}` cannot be read: {reason}");
        let failed = |error: io::Error| match error.to_string() {
            text if text.contains("checksum") => {
                wrong("its checksum does not match: the file is damaged; download or copy it again".into())
            }
            text => wrong(text),
        };
        let index = self.zip.index_for_name(&path).ok_or_else(|| wrong("it does not exist".into()))?;
        let (packed, size, unchecked, stored) = {
            let entry = self.zip.by_index_raw(index).map_err(|error| wrong(error.to_string()))?;
            // `torch.serialization.set_crc32_options(False)` writes 0 in place of each checksum.
            let stored = entry.compression() == CompressionMethod::Stored;
            (entry.compressed_size(), entry.size(), stored && entry.crc32() == 0, stored)
        };
        if packed > self.length || size > packed.saturating_mul(LARGEST_RATIO).saturating_add(64) {
            return Err(wrong(format!(
                "{} cannot hold {}",
                gtr_core::count(packed, "compressed byte"),
                gtr_core::count(size, "byte")
            )));
        }
        bytes.clear();
        let verified = unchecked || self.verified.contains(&index);
        if verified && stored {
            let mut entry = self.zip.by_index_seek(index).map_err(|error| wrong(error.to_string()))?;
            if start < size {
                entry.seek(SeekFrom::Start(start)).map_err(failed)?;
                entry.take(limit).read_to_end(bytes).map_err(failed)?;
            }
            return Ok(());
        }
        let mut entry = self.zip.by_index(index).map_err(|error| wrong(error.to_string()))?;
        let skipped = io::copy(&mut entry.by_ref().take(start), &mut io::sink()).map_err(failed)?;
        if skipped == start {
            entry.by_ref().take(limit).read_to_end(bytes).map_err(failed)?;
        }
        if !verified {
            io::copy(&mut entry, &mut io::sink()).map_err(failed)?;
            self.verified.insert(index);
        }
        Ok(())
    }
}
