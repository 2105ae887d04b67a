//! A folder that keeps classifier outputs, so that no image is generated twice.
//!
//! An entry has three files, named by the checksum of its key: `.json` contains the key, `.verdicts` has one record per image and is
//! only appended to, and a process locks `.lock` while it adds images.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use gtr_run::bulk::{Checksum, Lock, Taken};
use gtr_run::folder::make_folder;
use gtr_run::{Notes, Target, reading};
use serde_json::Value;

use super::record::{LENGTH, Record};
use crate::Error;

/// Maximum size of a file, enough for three million images.
const MOST_BYTES: u64 = 1 << 30;

/// The store.
#[derive(Debug)]
pub(super) struct ObservationStore {
    folder: PathBuf,
    notes: Notes,
}

/// Records of the images of one key.
#[derive(Debug, Default)]
pub(super) struct Entry {
    records: BTreeMap<u64, Record>,
    files: Option<Files>,
}

/// Result of [`Entry::grow`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grown {
    /// This process may add images.
    Now,
    /// Another process is adding images; if known, who it is and what to do if it no longer runs.
    NotYet(Option<String>),
}

/// Files of an entry.
#[derive(Debug)]
struct Files {
    /// Content of `.json`.
    key: String,
    /// Path without extension.
    stem: PathBuf,
    /// Set while this process may add images.
    growth: Option<Growth>,
    notes: Notes,
}

/// The lock of an entry and its open file.
#[derive(Debug)]
struct Growth {
    path: PathBuf,
    file: File,
    _lock: Lock,
}

impl ObservationStore {
    /// Opens a store. The folder is created with its first entry.
    pub(super) fn new(folder: &Path, notes: Notes) -> Result<Self, Error> {
        if folder.exists() {
            // Fails if the path is not a folder.
            make_folder(folder)?;
        }
        Ok(Self { folder: folder.to_owned(), notes })
    }

    /// Reads the entry of a key.
    pub(super) fn entry(&self, key: &Value) -> Result<Entry, Error> {
        let key = key.to_string();
        let stem = self.folder.join(String::from(Checksum::of(key.as_bytes())));
        let files = Files { key: key + "\n", stem, growth: None, notes: self.notes.clone() };
        let said = files.path("json");
        let bytes = read(&said)?;
        if !bytes.is_empty() && bytes != files.key.as_bytes() {
            return Err(Error::Failure(format!(
                "{} does not match the checksum in its name: remove it, or use another --store",
                said.display()
            )));
        }
        // Another process may be writing the last record, so an incomplete one is ignored.
        let (records, _) = files.records()?;
        Ok(Entry { records, files: Some(files) })
    }
}

impl Files {
    fn path(&self, ending: &str) -> PathBuf {
        self.stem.with_extension(ending)
    }

    /// Returns the intact records, and the size of the file in bytes.
    fn records(&self) -> Result<(BTreeMap<u64, Record>, usize), Error> {
        let bytes = read(&self.path("verdicts"))?;
        let (records, _) = bytes.as_chunks::<LENGTH>();
        let whole = records.iter().filter_map(Record::read);
        Ok((whole.map(|record| (record.number, record)).collect(), bytes.len()))
    }
}

/// Reads a file. A missing file counts as empty.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        if file.metadata()?.len() > MOST_BYTES {
            return Err(io::Error::other(format!("the file is larger than {} MB", MOST_BYTES >> 20)));
        }
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| reading::failed(path, &error).into())
}

impl Entry {
    /// Returns the record of an image, if it was generated.
    pub(super) fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(&number)
    }

    /// Locks the entry until [`Entry::rest`], and reads its records again. Does not wait if another process holds the lock.
    pub(super) fn grow(&mut self) -> Result<Grown, Error> {
        let Some(files) = &mut self.files else { return Ok(Grown::Now) };
        if let Some(folder) = files.stem.parent() {
            make_folder(folder)?;
        }
        let lock = match Lock::try_take(&files.path("lock"), &files.notes)? {
            Taken::Ours(lock) => lock,
            Taken::Theirs(holder) => {
                return Ok(Grown::NotYet(holder.map(|holder| format!("{holder}: {}", holder.advice()))));
            }
        };
        let (said, path) = (files.path("json"), files.path("verdicts"));
        if !said.exists() {
            Target::new(&said)?.write(files.key.as_bytes())?;
        }
        let (records, length) = files.records()?;
        if records.len() * LENGTH != length {
            // A process was killed while writing, or the file was changed.
            files
                .notes
                .say(format_args!("{} has damaged records: their images will be generated again", path.display()));
            let whole: Vec<u8> = records.values().flat_map(Record::bytes).collect();
            Target::new(&path)?.write(&whole)?;
        }
        let file = File::options().append(true).create(true).open(&path);
        let file = file.map_err(|error| Error::failure(format_args!("cannot write {}", path.display()), &error))?;
        files.growth = Some(Growth { path, file, _lock: lock });
        self.records = records;
        Ok(Grown::Now)
    }

    /// Releases the lock.
    pub(super) fn rest(&mut self) {
        if let Some(files) = &mut self.files {
            files.growth = None;
        }
    }

    /// Adds records, and appends them to the file while the lock is held.
    pub(super) fn add(&mut self, records: Vec<Record>) -> Result<(), Error> {
        if let Some(Growth { path, file, .. }) = self.files.as_mut().and_then(|files| files.growth.as_mut()) {
            let bytes: Vec<u8> = records.iter().flat_map(Record::bytes).collect();
            let written = file.write_all(&bytes).and_then(|()| file.flush());
            written.map_err(|error| Error::failure(format_args!("cannot write {}", path.display()), &error))?;
        }
        self.records.extend(records.into_iter().map(|record| (record.number, record)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use gtr_backends::Classification;
    use serde_json::json;

    fn record(number: u64) -> Record {
        Record { number, seconds: 1.0, verdict: Classification { features: [0.5; 64], logits: [1.0; 10] } }
    }

    #[test]
    fn records_are_kept_and_damaged_ones_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObservationStore::new(&folder.path().join("seen"), Notes::none()).unwrap();
        let key = json!({ "seed": 1 });
        let mut entry = store.entry(&key).unwrap();
        // Nothing is written until it grows.
        assert!(!folder.path().join("seen").exists());
        assert_eq!(entry.grow().unwrap(), Grown::Now);
        entry.add(vec![record(0), record(1), record(2)]).unwrap();
        assert!(store.entry(&json!({ "seed": 2 })).unwrap().get(0).is_none());
        entry.rest();
        let path = entry.files.as_ref().unwrap().path("verdicts");

        let mut bytes = fs::read(&path).unwrap();
        bytes[LENGTH + 20] ^= 1;
        bytes.truncate(3 * LENGTH - 1);
        fs::write(&path, bytes).unwrap();
        let mut entry = store.entry(&key).unwrap();
        assert_eq!([0, 1, 2].map(|number| entry.get(number).is_some()), [true, false, false]);
        assert_eq!(entry.grow().unwrap(), Grown::Now);
        entry.add(vec![record(2)]).unwrap();
        entry.rest();
        let entry = store.entry(&key).unwrap();
        assert_eq!([0, 1, 2].map(|number| entry.get(number).cloned()), [Some(record(0)), None, Some(record(2))]);
    }

    #[test]
    fn one_process_adds_while_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObservationStore::new(folder.path(), Notes::none()).unwrap();
        let key = json!({ "seed": 1 });
        let (mut ours, mut theirs) = (store.entry(&key).unwrap(), store.entry(&key).unwrap());
        assert_eq!(ours.grow().unwrap(), Grown::Now);
        ours.add(vec![record(0)]).unwrap();
        assert!(store.entry(&key).unwrap().get(0).is_some());
        assert_eq!(theirs.grow().unwrap(), Grown::NotYet(None));
        ours.rest();
        // Records that were added meanwhile are read.
        assert_eq!(theirs.grow().unwrap(), Grown::Now);
        assert!(theirs.get(0).is_some());
    }

    #[test]
    fn a_key_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObservationStore::new(folder.path(), Notes::none()).unwrap();
        let key = json!({ "seed": 1 });
        let mut entry = store.entry(&key).unwrap();
        assert_eq!(entry.grow().unwrap(), Grown::Now);
        entry.rest();
        fs::write(entry.files.as_ref().unwrap().path("json"), "{}").unwrap();
        assert!(store.entry(&key).unwrap_err().to_string().contains("does not match the checksum in its name"));
    }
}
