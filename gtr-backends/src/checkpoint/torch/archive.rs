//! The zip archives that `torch.save` writes since 1.6: a pickle and an entry for each storage.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use crate::checkpoint::Source;

/// Pickles of real checkpoints stay below a few megabytes.
pub(super) const LARGEST_PICKLE: u64 = 16 << 20;
/// An archive with more entries than this is not a checkpoint.
const MOST_ENTRIES: usize = 1 << 18;
/// Deflate can not do better than this.
const LARGEST_RATIO: u64 = 1032;

pub(super) struct Archive {
    zip: ZipArchive<Source>,
    length: u64,
    /// Folder inside the archive: `checkpoint-last/`.
    folder: String,
    pub(super) big_endian: bool,
    /// The entries whose bytes were compared with their checksums.
    verified: HashSet<usize>,
}

impl Archive {
    /// Opens an archive; also gives its pickle.
    pub(super) fn open(mut source: Source) -> Result<(Self, Vec<u8>), String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let zip = ZipArchive::new(source).map_err(|error| {
            format!(
                "its zip directory, which stands at the end, is damaged or missing ({error}): it may be half a file; \
                 download or copy it again"
            )
        })?;
        if zip.len() > MOST_ENTRIES {
            return Err(format!("it has {} entries, a checkpoint at most {MOST_ENTRIES}", zip.len()));
        }
        let names = || zip.file_names().flatten();
        let folder = names()
            .filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned))
            .find(|folder| folder.is_empty() || folder.ends_with('/'));
        let Some(folder) = folder else {
            let what = if names().any(|name| name.ends_with(".npy")) { "an archive of NumPy" } else { "a zip archive" };
            return Err(format!("it is {what} without `data.pkl`, not one of torch.save; unpack it if it holds one"));
        };
        let mut archive = Self { zip, length, folder, big_endian: false, verified: HashSet::new() };
        if archive.zip.index_for_name(&format!("{}constants.pkl", archive.folder)).is_some() {
            return Err(
                "it is a program of torch.jit.save, not a checkpoint; save its `state_dict()` with torch.save".into()
            );
        }
        // Archives of old versions have no such entry; they are little endian.
        if archive.zip.index_for_name(&format!("{}byteorder", archive.folder)).is_some() {
            archive.big_endian = match archive.whole("byteorder", 16)?.as_slice() {
                b"little" => false,
                b"big" => true,
                other => return Err(format!("its byte order is `{}`", String::from_utf8_lossy(other))),
            };
        }
        let pickle = archive.whole("data.pkl", LARGEST_PICKLE)?;
        Ok((archive, pickle))
    }

    /// The bytes of an entry of less than `limit`.
    fn whole(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.read(name, 0, limit, &mut bytes)?;
        if bytes.len() as u64 == limit {
            let path = format!("{}{name}", self.folder);
            return Err(format!("its entry `{path}` cannot be read: it is larger than {limit} bytes"));
        }
        Ok(bytes)
    }

    /// Makes `bytes` hold at most `limit` bytes of an entry, from `start`. Memory grows with what is really there. When an
    /// entry is read first, all of it is compared with its checksum.
    pub(super) fn read(&mut self, name: &str, start: u64, limit: u64, bytes: &mut Vec<u8>) -> Result<(), String> {
        let path = format!("{}{name}", self.folder);
        let wrong = |reason: String| format!("its entry `{path}` cannot be read: {reason}");
        let failed = |error: io::Error| match error.to_string() {
            text if text.contains("checksum") => {
                wrong("its bytes differ from their checksum: the file is damaged, download or copy it again".into())
            }
            text => wrong(text),
        };
        let index = self.zip.index_for_name(&path).ok_or_else(|| wrong("there is none".into()))?;
        let (packed, size, unchecked, stored) = {
            let entry = self.zip.by_index_raw(index).map_err(|error| wrong(error.to_string()))?;
            // `torch.serialization.set_crc32_options(False)` writes 0 in place of each checksum.
            let stored = entry.compression() == CompressionMethod::Stored;
            (entry.compressed_size(), entry.size(), stored && entry.crc32() == 0, stored)
        };
        if packed > self.length || size > packed.saturating_mul(LARGEST_RATIO).saturating_add(64) {
            return Err(wrong(format!("{packed} packed bytes cannot hold {size}")));
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
