//! Streaming reader of NumPy archives, which are untrusted input.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::Error;
use crate::reading;

/// Largest accepted header, in bytes.
const MOST_HEADER: u32 = 1 << 16;

/// A NumPy archive. The size in a header is untrusted: only as many bytes are unpacked as the caller reads.
#[derive(Debug)]
pub struct Reader {
    name: String,
    zip: ZipArchive<BufReader<File>>,
}

/// The header of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Element type as a NumPy type string, for example `|u1`.
    pub descr: String,
    /// Side lengths, not checked.
    pub shape: Vec<u64>,
}

/// An array whose elements have not been read yet.
pub struct Array<'a> {
    /// Header of the array. Only its syntax is checked.
    pub header: Header,
    elements: Box<dyn Read + 'a>,
    name: String,
}

impl Reader {
    /// Opens an archive.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file cannot be read or is not a zip file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| reading::failed(path, &error))?;
        let zip =
            ZipArchive::new(BufReader::new(file)).map_err(|error| reading::not_a("a NumPy archive", path, &error))?;
        Ok(Self { name, zip })
    }

    /// Returns true if the archive has an array with this name, without `.npy`.
    pub fn has(&self, array: &str) -> bool {
        self.zip.index_for_name(&format!("{array}.npy")).is_some()
    }

    /// Opens an array by its name, without `.npy`.
    ///
    /// # Errors
    /// [`Error::Failure`] if the array does not exist, or if its header is invalid or not in C order.
    pub fn array(&mut self, array: &str) -> Result<Array<'_>, Error> {
        let name = format!("{}: {array}", self.name);
        let wrong = |error: &dyn std::error::Error| Error::failure(format_args!("{name} cannot be read"), error);
        let mut elements = self.zip.by_name(&format!("{array}.npy")).map_err(|error| wrong(&error))?;
        let text = header(&mut elements).map_err(|error| wrong(&error))?;
        let header = parse(&text).ok_or_else(|| {
            Error::Failure(format!("{name} cannot be read: its header is not that of a NumPy array in C order"))
        })?;
        Ok(Array { header, elements: Box::new(elements), name })
    }
}

impl std::fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Array").field("name", &self.name).field("header", &self.header).finish_non_exhaustive()
    }
}

impl Array<'_> {
    /// Reads the next bytes of the elements.
    ///
    /// # Errors
    /// [`Error::Failure`] if the array has fewer bytes left.
    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.elements
            .read_exact(bytes)
            .map_err(|error| Error::failure(format_args!("{} cannot be read", self.name), &error))
    }

    /// Checks that all elements have been read.
    ///
    /// # Errors
    /// [`Error::Failure`] if the array has more elements than its header states, or if it cannot be read.
    pub fn ended(&mut self) -> Result<(), Error> {
        let read = self.elements.read(&mut [0]);
        match read.map_err(|error| Error::failure(format_args!("{} cannot be read", self.name), &error))? {
            0 => Ok(()),
            _ => Err(self.wrong("it has more elements than its header states")),
        }
    }

    /// Returns the error that the array cannot be read.
    pub fn wrong(&self, reason: &str) -> Error {
        Error::Failure(format!("{} cannot be read: {reason}", self.name))
    }
}

/// Reads the text of a header of format version 1, 2 or 3.
fn header(from: &mut impl Read) -> std::io::Result<String> {
    let mut start = [0; 8];
    from.read_exact(&mut start)?;
    let other = |reason: &str| std::io::Error::other(reason.to_owned());
    let (magic, version) = start.split_at(6);
    if magic != b"\x93NUMPY" {
        return Err(other("expected a NumPy array, found another file format"));
    }
    let length = if version[0] == 1 {
        let mut length = [0; 2];
        from.read_exact(&mut length)?;
        u16::from_le_bytes(length).into()
    } else {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        u32::from_le_bytes(length)
    };
    if length > MOST_HEADER {
        return Err(other("its header is too long"));
    }
    let mut text = vec![0; length as usize];
    from.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|_| other("its header is not UTF-8 text"))
}

/// Parses a header: a Python dictionary with the keys `descr`, `fortran_order` and `shape`. Returns `None` if it is invalid.
fn parse(text: &str) -> Option<Header> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let descr = value("descr")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned();
    if !value("fortran_order")?.starts_with("False") {
        return None;
    }
    let sides = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    let shape = sides.map(|side| side.parse().ok()).collect::<Option<_>>()?;
    Some(Header { descr, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let header = parse("{'descr': '|u1', 'fortran_order': False, 'shape': (12, 32, 32, 1), }   \n").unwrap();
        assert_eq!(header, Header { descr: "|u1".to_owned(), shape: vec![12, 32, 32, 1] });
        assert_eq!(parse("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }").unwrap().shape, [3]);
        for wrong in [
            "",
            "{}",
            "{'descr': '|u1', 'fortran_order': True, 'shape': (12,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (12",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn headers_are_bounded() {
        let read = |bytes: &[u8]| header(&mut &bytes[..]).map_err(|error| error.to_string());
        assert_eq!(read(b"\x93NUMPY\x01\x00\x02\x00{}").unwrap(), "{}");
        assert!(read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}").unwrap_err().contains("too long"));
        assert!(read(b"\x93NUMPY\x01\x00\xff\xff{}").is_err());
        assert!(read(b"PNG").is_err());
    }
}
