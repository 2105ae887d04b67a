//! A writer of `torch.save` files for tests, in both formats.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

/// A reference to a storage in a pickle.
pub(crate) struct Stored {
    pub(crate) key: String,
    /// Name of the class in `torch`.
    pub(crate) class: &'static str,
    pub(crate) elements: u64,
}

pub(crate) fn archive(entries: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let method = if deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = SimpleFileOptions::default().compression_method(method);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [b"X".as_slice(), &length.to_le_bytes(), text.as_bytes()].concat()
}

pub(crate) fn whole(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

pub(crate) fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".as_slice(), &items.concat(), b"t"].concat()
}

pub(crate) fn dictionary<K: AsRef<str>>(entries: &[(K, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> =
        entries.iter().flat_map(|(name, value)| [text(name.as_ref()), value.clone()].concat()).collect();
    [b"}(".as_slice(), &items, b"u"].concat()
}

pub(crate) fn pickle(object: &[u8]) -> Vec<u8> {
    [b"\x80\x02".as_slice(), object, b"."].concat()
}

/// Returns the pickle program that rebuilds a tensor. A type without a storage class uses an untyped storage.
pub(crate) fn tensor(storage: &Stored, offset: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let sizes =
        |sizes: &[usize]| tuple(&sizes.iter().map(|&size| whole(i64::try_from(size).unwrap())).collect::<Vec<_>>());
    let typed = storage.class.ends_with("Storage");
    let class =
        if typed { format!("ctorch\n{}\n", storage.class) } else { "ctorch.storage\nUntypedStorage\n".to_owned() };
    let elements = whole(i64::try_from(storage.elements).unwrap());
    let place = tuple(&[text("storage"), class.into_bytes(), text(&storage.key), text("cpu"), elements, b"N".to_vec()]);
    let mut arguments = vec![
        [place, b"Q".to_vec()].concat(),
        whole(i64::try_from(offset).unwrap()),
        sizes(shape),
        sizes(strides),
        b"\x89".to_vec(),
        b"}".to_vec(),
    ];
    if !typed {
        arguments.push(format!("ctorch\n{}\n", storage.class).into_bytes());
    }
    let function = if typed { "_rebuild_tensor_v2" } else { "_rebuild_tensor_v3" };
    [format!("ctorch._utils\n{function}\n").into_bytes(), tuple(&arguments), b"R".to_vec()].concat()
}

/// Returns the start of a file before version 1.6, up to the storages.
pub(crate) fn legacy_start(object: &[u8], keys: &[&str]) -> Vec<u8> {
    let magic = pickle(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
    let machine = dictionary(&[("protocol_version", whole(1001)), ("little_endian", b"\x88".to_vec())]);
    let keys: Vec<u8> = keys.iter().flat_map(|key| text(key)).collect();
    let keys = [b"](".as_slice(), &keys, b"e"].concat();
    [magic, pickle(&whole(1001)), pickle(&machine), pickle(object), pickle(&keys)].concat()
}

/// Returns a complete file; each storage has its bytes and its element size.
pub(crate) fn legacy(object: &[u8], storages: &[(&str, &[u8], usize)]) -> Vec<u8> {
    let keys: Vec<&str> = storages.iter().map(|(key, ..)| *key).collect();
    let mut file = legacy_start(object, &keys);
    for (_, bytes, size) in storages {
        file.extend(((bytes.len() / size) as u64).to_le_bytes());
        file.extend(*bytes);
    }
    file
}
