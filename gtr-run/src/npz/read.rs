//! Archives that are read a piece at a time; nothing that they say is believed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::Error;
use crate::reading;

/// A header of more bytes than this is refused.
const MOST_HEADER: u32 = 1 << 16;

/// An archive. What an array says of its size is never believed: a caller reads as many bytes as it asks for, and no more are
/// unpacked.
#[derive(Debug)]
pub struct Reader {
    name: String,
    zip: ZipArchive<BufReader<File>>,
}

/// The header of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type of its elements, as NumPy writes it.
    pub descr: String,
    /// Its sides, of which each may be any number.
    pub shape: Vec<u64>,
}

/// An array whose elements are yet to be read.
pub struct Array<'a> {
    /// Its header, checked in form alone.
    pub header: Header,
    elements: Box<dyn Read + 'a>,
    name: String,
}

impl Reader {
    /// Opens an archive.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| reading::failed(path, &error))?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| reading::not_a("an archive of NumPy", path, &error))?;
        Ok(Self { name, zip })
    }

    /// Whether there is an array of this name.
    pub fn has(&self, array: &str) -> bool {
        self.zip.index_for_name(&format!("{array}.npy")).is_some()
    }

    /// An array, by its name without `.npy`.
    ///
    /// # Errors
    /// [`Error::Failure`] if there is none, or its header is not one of an array in C order.
    pub fn array(&mut self, array: &str) -> Result<Array<'_>, Error> {
        let name = format!("{}: {array}", self.name);
        let wrong = |error: &dyn std::error::Error| Error::failure(format_args!("{name} cannot be read"), error);
        let mut elements = self.zip.by_name(&format!("{array}.npy")).map_err(|error| wrong(&error))?;
        let text = header(&mut elements).map_err(|error| wrong(&error))?;
        let header = parse(&text).ok_or_else(|| {
            Error::Failure(format!("{name} cannot be read: its header is none of NumPy's, of an array in C order"))
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
    /// The next bytes of the elements.
    ///
    /// # Errors
    /// [`Error::Failure`] if there are fewer.
    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.elements
            .read_exact(bytes)
            .map_err(|error| Error::failure(format_args!("{} cannot be read", self.name), &error))
    }

    /// Refuses an array that has more elements than it says.
    ///
    /// # Errors
    /// [`Error::Failure`] if it has, or cannot be read to its end.
    pub fn ended(&mut self) -> Result<(), Error> {
        let read = self.elements.read(&mut [0]);
        match read.map_err(|error| Error::failure(format_args!("{} cannot be read", self.name), &error))? {
            0 => Ok(()),
            _ => Err(self.wrong("it has more elements than its header says")),
        }
    }

    /// That something is wrong with it.
    pub fn wrong(&self, reason: &str) -> Error {
        Error::Failure(format!("{} cannot be read: {reason}", self.name))
    }
}

/// The text of a header, format versions 1 to 3.
fn header(from: &mut impl Read) -> std::io::Result<String> {
    let mut start = [0; 8];
    from.read_exact(&mut start)?;
    let other = |reason: &str| std::io::Error::other(reason.to_owned());
    let (magic, version) = start.split_at(6);
    if magic != b"\x93NUMPY" {
        return Err(other("it does not begin as an array of NumPy does"));
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
    String::from_utf8(text).map_err(|_| other("its header is no text"))
}

/// What a header says: a dictionary of Python with the keys `descr`, `fortran_order` and `shape`.
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
