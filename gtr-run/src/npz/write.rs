//! Streaming writer of NumPy archives.

use std::io::{self, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Element type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 8-bit unsigned integer.
    U8,
    /// 64-bit integer, little endian.
    I64,
}

impl Element {
    /// Returns the type string of NumPy and the element size in bytes.
    fn tell(self) -> (&'static str, u64) {
        match self {
            Self::U8 => ("|u1", 1),
            Self::I64 => ("<i8", 8),
        }
    }
}

/// An archive being written.
///
/// # Examples
/// ```
/// use gtr_run::npz::{Element, Writer};
/// let mut npz = Writer::new(std::io::Cursor::new(Vec::new()));
/// npz.array("arr_0", Element::U8, &[2, 3])?;
/// npz.write(&[1, 2, 3, 4, 5, 6])?;
/// let bytes = npz.finish()?.into_inner();
/// assert!(bytes.starts_with(b"PK"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write + Seek> {
    zip: ZipWriter<W>,
    /// Number of missing bytes of the current array.
    left: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Creates an empty archive.
    pub fn new(writer: W) -> Self {
        Self { zip: ZipWriter::new(writer), left: 0 }
    }

    /// Starts an array in C order. [`Writer::write`] then adds its bytes.
    ///
    /// # Errors
    /// If the previous array is incomplete, if this one has more than 2^64 - 1 bytes, or if writing fails.
    pub fn array(&mut self, name: &str, element: Element, shape: &[u64]) -> io::Result<()> {
        self.whole()?;
        let header = header(element, shape);
        let bytes = shape.iter().try_fold(element.tell().1, |bytes, side| bytes.checked_mul(*side));
        self.left = bytes.ok_or(io::ErrorKind::FileTooLarge)?;
        // Entries of 4 GiB and more need zip64 fields, which must be reserved at the start.
        let large = self.left.saturating_add(header.len() as u64) >= u64::from(u32::MAX);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        self.zip.start_file(format!("{name}.npy"), options)?;
        self.zip.write_all(&header)
    }

    /// Writes the next bytes of the array, little endian.
    ///
    /// # Errors
    /// If the array has fewer bytes left, or if writing fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
        self.zip.write_all(bytes)
    }

    /// Finishes the archive.
    ///
    /// # Errors
    /// If the last array is incomplete, or if writing fails.
    pub fn finish(self) -> io::Result<W> {
        self.whole()?;
        Ok(self.zip.finish()?)
    }

    /// Returns an error if the current array is incomplete.
    fn whole(&self) -> io::Result<()> {
        if self.left == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Returns the header of an array, format version 1.0.
///
/// # Source
/// `numpy.lib.format`: magic string, version, length, a Python literal that ends in a line break, padded to 64 bytes in all.
fn header(element: Element, shape: &[u64]) -> Vec<u8> {
    let sides: Vec<String> = shape.iter().map(u64::to_string).collect();
    let mut text =
        format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", element.tell().0, sides.join(", "));
    let start = 10;
    let padded = (start + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', padded - start - text.len() - 1));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // The header fits: at most five sides of 20 digits.
    header.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    header.extend(text.bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    #[test]
    fn arrays_have_the_format_of_numpy() {
        let mut npz = Writer::new(Cursor::new(Vec::new()));
        npz.array("arr_0", Element::U8, &[2, 1, 2, 1]).unwrap();
        npz.write(&[1, 2]).unwrap();
        npz.write(&[3, 4]).unwrap();
        npz.array("arr_1", Element::I64, &[2]).unwrap();
        npz.write(&7i64.to_le_bytes()).unwrap();
        npz.write(&8i64.to_le_bytes()).unwrap();
        let mut archive = zip::ZipArchive::new(npz.finish().unwrap()).unwrap();
        let mut read = |name: &str| {
            let mut bytes = Vec::new();
            archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (images, labels) = (read("arr_0.npy"), read("arr_1.npy"));
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2, 1,), }";
        assert_eq!((&images[..8], images.len()), (&b"\x93NUMPY\x01\x00"[..], 128 + 4));
        assert_eq!(u16::from_le_bytes([images[8], images[9]]), 118);
        assert!(images[10..].starts_with(text.as_bytes()) && images[127] == b'\n');
        assert_eq!(images[128..], [1, 2, 3, 4]);
        assert!(String::from_utf8_lossy(&labels).contains("'descr': '<i8'") && labels.len() == 128 + 16);
    }

    #[test]
    fn incomplete_arrays_are_errors() {
        let mut npz = Writer::new(Cursor::new(Vec::new()));
        npz.array("arr_0", Element::U8, &[3]).unwrap();
        npz.write(&[1, 2]).unwrap();
        assert!(npz.array("arr_1", Element::I64, &[1]).is_err());
        assert!(npz.write(&[3, 4]).is_err());
        assert!(npz.finish().is_err());
        assert!(Writer::new(Cursor::new(Vec::new())).array("arr_0", Element::I64, &[u64::MAX]).is_err());
    }
}
