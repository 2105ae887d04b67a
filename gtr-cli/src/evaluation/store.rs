//! A folder in which lies what the judge saw, so that no image is made twice.
//!
//! Images of a kind have three files, named by the checksum of all that decides what they are: `.json`, which says that in
//! words, `.verdicts`, a record an image, which only grows, and `.lock`, which the process holds that makes more of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::record::{LENGTH, Record};
use crate::bulk::{Checksum, Lock, make_folder};
use crate::error::CliError;
use crate::output::{self, Target};

/// A file of more bytes than this is refused: it would have three million images.
const MOST_BYTES: u64 = 1 << 30;

/// The folder.
#[derive(Debug)]
pub(super) struct Store(PathBuf);

/// What was seen of images of a kind.
#[derive(Debug, Default)]
pub(super) struct Entry {
    records: BTreeMap<u64, Record>,
    kept: Option<Kept>,
}

/// Where an entry grows.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    _lock: Lock,
}

impl Store {
    /// A folder, made unless it is there.
    pub(super) fn open(folder: &Path) -> Result<Self, CliError> {
        make_folder(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// What is kept under a key.
    pub(super) fn entry(&self, key: &Value) -> Result<Entry, CliError> {
        let text = key.to_string();
        let path = |ending: &str| self.0.join(format!("{}.{ending}", String::from(Checksum::of(text.as_bytes()))));
        let lock = Lock::take(&path("lock"))?;
        let (said, path) = (path("json"), path("verdicts"));
        let reading = |error: &io::Error| CliError::failure(format_args!("cannot read {}", path.display()), error);
        if !said.exists() {
            Target::new(&said)?.write(format!("{text}\n").as_bytes())?;
        }
        let bytes = read(&path).map_err(|error| reading(&error))?;
        let (records, _) = bytes.as_chunks::<LENGTH>();
        let read: Vec<Record> = records.iter().filter_map(Record::read).collect();
        if read.len() * LENGTH != bytes.len() {
            // What was being written when the process was killed, or was changed since.
            output::note(format_args!("{} has damaged images: they are made again", path.display()));
            let whole: Vec<u8> = read.iter().flat_map(Record::bytes).collect();
            Target::new(&path)?.write(&whole)?;
        }
        let file = File::options().append(true).create(true).open(&path);
        let file = file.map_err(|error| CliError::failure(format_args!("cannot write {}", path.display()), &error))?;
        let records = read.into_iter().map(|record| (record.number, record)).collect();
        Ok(Entry { records, kept: Some(Kept { path, file, _lock: lock }) })
    }
}

/// The bytes of a file that may not be there yet.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    if fs::metadata(path)?.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it has more than {} MB", MOST_BYTES >> 20)));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Entry {
    /// What was seen in an image, if it was made.
    pub(super) fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(&number)
    }

    /// Adds images, and keeps them if there is where.
    pub(super) fn add(&mut self, records: Vec<Record>) -> Result<(), CliError> {
        if let Some(Kept { path, file, .. }) = &mut self.kept {
            let bytes: Vec<u8> = records.iter().flat_map(Record::bytes).collect();
            let written = file.write_all(&bytes).and_then(|()| file.flush());
            written.map_err(|error| CliError::failure(format_args!("cannot write {}", path.display()), &error))?;
        }
        self.records.extend(records.into_iter().map(|record| (record.number, record)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gtr_backends::Verdict;
    use serde_json::json;

    fn record(number: u64) -> Record {
        Record { number, seconds: 1.0, verdict: Verdict { features: [0.5; 64], logits: [1.0; 10] } }
    }

    #[test]
    fn what_is_kept_is_there_and_what_is_torn_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = json!({ "seed": 1 });
        let mut entry = store.entry(&key).unwrap();
        entry.add(vec![record(0), record(1), record(2)]).unwrap();
        assert!(store.entry(&key).unwrap_err().to_string().contains("another process"));
        assert!(store.entry(&json!({ "seed": 2 })).unwrap().get(0).is_none());
        let path = entry.kept.as_ref().unwrap().path.clone();
        drop(entry);

        let mut bytes = fs::read(&path).unwrap();
        bytes[LENGTH + 20] ^= 1;
        bytes.truncate(3 * LENGTH - 1);
        fs::write(&path, bytes).unwrap();
        let mut entry = store.entry(&key).unwrap();
        assert_eq!([0, 1, 2].map(|number| entry.get(number).is_some()), [true, false, false]);
        entry.add(vec![record(2)]).unwrap();
        drop(entry);
        let entry = store.entry(&key).unwrap();
        assert_eq!([0, 1, 2].map(|number| entry.get(number).cloned()), [Some(record(0)), None, Some(record(2))]);
    }
}
