//! Source of the bytes of a checkpoint: a file or memory.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use crate::BackendError;

/// Bytes of a file, or bytes in memory.
#[derive(Debug)]
pub enum Source {
    /// A file, read on demand.
    File(io::BufReader<fs::File>),
    /// Bytes in memory.
    Memory(Cursor<Cow<'static, [u8]>>),
}

impl From<Cow<'static, [u8]>> for Source {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        Self::Memory(Cursor::new(bytes))
    }
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file cannot be opened or is a folder.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        let wrong = |source| BackendError::Read { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(wrong)?;
        if file.metadata().map_err(wrong)?.is_dir() {
            return Err(wrong(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::File(io::BufReader::new(file)))
    }

    /// Length in bytes.
    pub(super) fn len(&mut self) -> io::Result<u64> {
        self.seek(SeekFrom::End(0))
    }

    /// Reads the first eight bytes, or fewer if the source is shorter.
    pub(super) fn start(&mut self) -> io::Result<Vec<u8>> {
        self.rewind()?;
        let mut start = Vec::with_capacity(8);
        self.by_ref().take(8).read_to_end(&mut start)?;
        self.rewind()?;
        Ok(start)
    }

    /// Reads `length` bytes from `offset` into `bytes`. The caller must have checked both against [`Source::len`].
    pub(super) fn read_at(&mut self, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        bytes.clear();
        bytes.resize(length, 0);
        self.read_exact(bytes)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(memory) => memory.read(buffer),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(position),
            Self::Memory(memory) => memory.seek(position),
        }
    }
}
