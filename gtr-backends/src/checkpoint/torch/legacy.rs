//! The format of `torch.save` before 1.6, still available as an option: consecutive pickles, then the storages.
//!
//! The pickles are the magic number, the protocol version, a description of the machine, the object, and the keys of
//! the storages. Each storage is the number of its elements (8 bytes) followed by the elements, all little endian.

use std::collections::HashMap;
use std::sync::Arc;

use super::archive::LARGEST_PICKLE;
use super::pickle::{Object, Pickle};
use crate::checkpoint::{Dtype, Source};

/// Magic number of the format, as an encoded pickle integer.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// The only protocol version.
const VERSION: i64 = 1001;
/// Largest accepted number of storages.
const MOST_STORAGES: usize = 1 << 18;

pub(super) struct Legacy {
    source: Source,
    /// Offset and length in bytes of the elements of each storage.
    places: HashMap<Arc<str>, (u64, u64)>,
}

/// Returns true if a file starts with the magic number.
pub(super) fn begins(start: &[u8]) -> bool {
    // Since pickle protocol 4, a frame header precedes the number.
    let ([0x80, 2 | 3, rest @ ..] | [0x80, 4 | 5, 0x95, _, _, _, _, _, _, _, _, rest @ ..]) = start else {
        return false;
    };
    // `start` may end inside the magic number.
    let known = rest.len().min(MAGIC.len());
    known >= 4 && rest[..known] == MAGIC[..known]
}

impl Legacy {
    /// Opens a file and returns it with the pickle of the object.
    pub(super) fn open(mut source: Source) -> Result<(Self, Pickle), String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let mut start = Vec::new();
        let head = usize::try_from(length.min(2 * LARGEST_PICKLE)).unwrap_or(usize::MAX);
        source.read_at(0, head, &mut start).map_err(|error| error.to_string())?;
        let mut rest = &start[..];
        let mut next = |what: &str| -> Result<Pickle, String> {
            let pickle = Pickle::parse(rest).map_err(|reason| {
                format!("its {what} cannot be read: {reason}; the file may be truncated: download or copy it again")
            })?;
            rest = &rest[pickle.length..];
            Ok(pickle)
        };
        next("magic number")?;
        let version = next("version")?;
        if !matches!(version.object(version.root), Object::Int(VERSION)) {
            return Err("unknown version of the torch.save format before 1.6; save it again with a new PyTorch".into());
        }
        next("description of the machine")?;
        let object = next("object")?;
        let keys = next("list of storages")?;
        let mut at = (head - rest.len()) as u64;
        let mut file = Self { source, places: HashMap::new() };
        let sizes = element_sizes(&object);
        let Object::List(keys_of) = keys.object(keys.root) else { return Err("its storages are not a list".into()) };
        if keys_of.len() > MOST_STORAGES {
            return Err(format!("it has {} storages, expected at most {MOST_STORAGES}", keys_of.len()));
        }
        for &key in keys_of {
            let Object::Text(key) = keys.object(key) else { return Err("the key of a storage is not a string".into()) };
            let size = *sizes.get(key).ok_or_else(|| format!("unknown element size of storage `{key}`"))?;
            let cut = || format!("it ends inside storage `{key}`: the file is truncated; download or copy it again");
            let begin = at.checked_add(8).filter(|begin| *begin <= length).ok_or_else(cut)?;
            let mut count = Vec::new();
            file.source.read_at(at, 8, &mut count).map_err(|error| error.to_string())?;
            let count = u64::from_le_bytes(count.try_into().map_err(|_| cut())?);
            let bytes = count.checked_mul(size).ok_or_else(cut)?;
            at = begin.checked_add(bytes).filter(|end| *end <= length).ok_or_else(cut)?;
            file.places.insert(Arc::clone(key), (begin, bytes));
        }
        if at != length {
            return Err(format!("expected no bytes after its last storage, found {}", length - at));
        }
        Ok((file, object))
    }

    /// Reads bytes `start..start + limit` of a storage into `bytes`, or fewer if the storage is shorter.
    pub(super) fn read(&mut self, key: &str, start: u64, limit: u64, bytes: &mut Vec<u8>) -> Result<(), String> {
        let (place, length) = *self.places.get(key).ok_or_else(|| format!("its storage `{key}` is missing"))?;
        let there = length.saturating_sub(start).min(limit);
        let there = usize::try_from(there).map_err(|error| error.to_string())?;
        self.source.read_at(place.saturating_add(start), there, bytes).map_err(|error| error.to_string())
    }
}

/// Returns the element size in bytes of each storage that an object refers to.
fn element_sizes(object: &Pickle) -> HashMap<Arc<str>, u64> {
    let storages = object.objects().iter().filter_map(|object| match object {
        Object::Storage(storage) => Some(storage),
        _ => None,
    });
    let size = |dtype: &Result<Dtype, Arc<str>>| match dtype {
        Ok(dtype) => Some(dtype.size() as u64),
        // Sizes of unsupported types, to skip their storages.
        Err(class) => match &**class {
            "torch.QInt8Storage" | "torch.QUInt8Storage" => Some(1),
            "torch.QInt32Storage" => Some(4),
            "torch.ComplexFloatStorage" => Some(8),
            "torch.ComplexDoubleStorage" => Some(16),
            _ => None,
        },
    };
    storages.filter_map(|storage| Some((Arc::clone(&storage.key), size(&storage.dtype)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_detected_from_its_first_bytes() {
        let of = |start: &[u8]| begins(&[start, MAGIC].concat());
        assert!(of(b"\x80\x02") && of(b"\x80\x04\x95\x0e\0\0\0\0\0\0\0"));
        assert!(!of(b"\x80\x07") && !begins(b"\x80\x02}q\x00.") && !begins(b""));
        assert!(begins(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46"));
    }
}
