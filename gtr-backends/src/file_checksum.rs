//! SHA-256 checksums of files. That of a large file is kept beside it, so that the next process need not read the file.
//!
//! The kept checksum belongs to a size, an inode, and the times of the last change of content and of inode. A file
//! with another one of these is hashed again. What the cache file says is not trusted further: it is small, complete,
//! and its owner is that of the checkpoint; otherwise it is ignored. If no file can be written beside the checkpoint,
//! the checksum is kept in the user's cache folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::atomic_file::TEMPORARY_PREFIX;
use crate::sha256::hexadecimal;
use crate::{Unfinished, sha256};

/// Size from which a checksum is kept, in bytes. Smaller files are hashed in less than a tenth of a second.
const SMALLEST: u64 = 16 << 20;
/// Age from which a file is old enough. A younger one could change again within the resolution of its times.
const SETTLED: Duration = Duration::from_secs(2);
/// Largest cache file, in bytes.
const LARGEST: u64 = 512;

/// Returns the SHA-256 of a file, which is read unless its checksum is kept.
///
/// # Errors
/// If the file cannot be opened or read. A checksum that cannot be kept is not an error.
pub(crate) fn checksum(path: &Path) -> io::Result<[u8; 32]> {
    let cache =
        Cache { smallest: SMALLEST, now: SystemTime::now(), users: users_folder(|name| std::env::var_os(name)) };
    cache.checksum(path, hash)
}

/// Hashes a file in chunks.
fn hash(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// Returns the folder of gtr in the user's cache folder.
fn users_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("gtr"))
}

/// What identifies the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    /// Seconds and nanoseconds of the last change of the content. Programs can set it.
    modified: (i64, i64),
    /// Seconds and nanoseconds of the last change of the inode. Programs cannot set it.
    changed: (i64, i64),
    owner: u32,
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file().then(|| Self {
            size: metadata.size(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            owner: metadata.uid(),
        })
    }

    /// Other systems do not tell the inode in the standard library, so no checksum is kept there.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Returns true if the last change was long enough before `now`.
    fn settled(&self, now: SystemTime) -> bool {
        let oldest = now.checked_sub(SETTLED).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let last = self.modified.max(self.changed).0;
        oldest.is_some_and(|oldest| i64::try_from(oldest.as_secs()).is_ok_and(|oldest| last < oldest))
    }

    /// Content of the cache file: one line, and the checksum of that line.
    fn entry(&self, checksum: &str) -> String {
        let Self { size, inode, modified, changed, .. } = self;
        let times = format!("modified {}.{:09} changed {}.{:09}", modified.0, modified.1, changed.0, changed.1);
        let line = format!("gtr 1 size {size} inode {inode} {times} sha256 {checksum}\n");
        format!("{line}{}\n", sha256::of(line.as_bytes()))
    }
}

/// Where and when checksums are kept.
struct Cache {
    smallest: u64,
    /// Time before the file is read.
    now: SystemTime,
    /// Folder of the user.
    users: Option<PathBuf>,
}

impl Cache {
    /// Returns the kept checksum, or that of `hash`, which is then kept.
    fn checksum(&self, path: &Path, hash: impl FnOnce(&mut File) -> io::Result<[u8; 32]>) -> io::Result<[u8; 32]> {
        let mut file = File::open(path)?;
        let stamp = |file: &File| file.metadata().map(|metadata| Stamp::of(&metadata));
        let Some(before) = stamp(&file)?.filter(|stamp| stamp.size >= self.smallest) else { return hash(&mut file) };
        let (beside, users) = (beside(path), self.of_user(path));
        let kept = beside.as_deref().and_then(|place| kept(place, &before, Some(before.owner)));
        if let Some(checksum) = kept.or_else(|| kept_by_user(users.as_deref(), &before)) {
            return Ok(checksum);
        }
        let checksum = hash(&mut file)?;
        if before.settled(self.now) && stamp(&file)? == Some(before) {
            let entry = before.entry(&hexadecimal(&checksum));
            let written = beside.is_some_and(|place| keep(&place, &entry, Some(before.owner)).is_ok());
            if let Some(place) = users.filter(|_| !written) {
                // Without it, the next process hashes the file again.
                let _ = keep_for_user(&place, &entry);
            }
        }
        Ok(checksum)
    }

    /// Path of the cache file in the user's folder. Its name is the checksum of the file's path.
    fn of_user(&self, path: &Path) -> Option<PathBuf> {
        let path = fs::canonicalize(path).ok()?;
        let name = sha256::of(path.as_os_str().as_encoded_bytes());
        Some(self.users.as_ref()?.join(format!("{name}.sha256")))
    }
}

/// Path of the cache file beside a file: `.NAME.sha256`.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    Some(path.with_file_name([OsStr::new("."), name, OsStr::new(".sha256")].into_iter().collect::<OsString>()))
}

fn kept_by_user(place: Option<&Path>, stamp: &Stamp) -> Option<[u8; 32]> {
    kept(place?, stamp, None)
}

/// Reads a cache file. Returns `None` if it is of another file, of another owner than `owner`, or damaged.
fn kept(place: &Path, stamp: &Stamp, owner: Option<u32>) -> Option<[u8; 32]> {
    // Neither a link nor a pipe, which could block.
    let itself = Stamp::of(&fs::symlink_metadata(place).ok()?)?;
    if owner.is_some_and(|owner| itself.owner != owner) {
        return None;
    }
    let mut text = String::new();
    File::open(place).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    let digits = text.split_ascii_whitespace().nth_back(1)?;
    let checksum = bytes(digits)?;
    (stamp.entry(digits) == text).then_some(checksum)
}

/// Parses 64 hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 32]> {
    let digits = <&[u8; 64]>::try_from(digits.as_bytes()).ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

fn keep_for_user(place: &Path, entry: &str) -> io::Result<()> {
    place.parent().map_or(Ok(()), fs::create_dir_all)?;
    keep(place, entry, None)
}

/// Writes a cache file under a temporary name and renames it. A link of that name is replaced, not followed.
///
/// # Errors
/// If the file cannot be written, or its owner would not be `owner`.
fn keep(place: &Path, entry: &str, owner: Option<u32>) -> io::Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Created like any new file, so that it has the usual permissions.
    let create = |path: &Path| File::options().write(true).create_new(true).open(path);
    let mut file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder, create)?;
    let unfinished = Unfinished::new(file.path());
    let ours = Stamp::of(&file.as_file().metadata()?);
    if owner.is_some_and(|owner| ours.is_none_or(|ours| ours.owner != owner)) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    file.write_all(entry.as_bytes())?;
    unfinished.finish(|| file.persist(place)).map(drop).map_err(|error| error.error)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A file that is old enough, in a folder of its own, and a cache that counts how often it is read.
    struct Case {
        folder: tempfile::TempDir,
        file: PathBuf,
        cache: Cache,
        reads: Cell<usize>,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("model")).unwrap();
            let file = folder.path().join("model/weights.pth");
            fs::write(&file, "abc").unwrap();
            let now = SystemTime::now() + Duration::from_secs(10);
            let users = Some(folder.path().join("home/gtr"));
            Self { folder, file, cache: Cache { smallest: 3, now, users }, reads: Cell::new(0) }
        }

        /// Beginning of the checksum, and whether the file was read for it.
        fn checksum(&self) -> (String, bool) {
            let before = self.reads.get();
            let checksum = self.cache.checksum(&self.file, |file| {
                self.reads.set(before + 1);
                hash(file)
            });
            (hexadecimal(&checksum.unwrap())[..8].to_owned(), self.reads.get() > before)
        }

        fn beside(&self) -> PathBuf {
            beside(&self.file).unwrap()
        }
    }

    /// Beginnings of the checksums of `abc` and `abd`, by `sha256sum`.
    const ABC: &str = "ba7816bf";
    const ABD: &str = "a52d159f";

    fn read(checksum: &str) -> (String, bool) {
        (checksum.to_owned(), true)
    }

    fn not_read(checksum: &str) -> (String, bool) {
        (checksum.to_owned(), false)
    }

    #[test]
    fn a_file_is_read_once() {
        let case = Case::new();
        assert_eq!(case.checksum(), read(ABC));
        assert_eq!(case.checksum(), not_read(ABC));
        assert_eq!(case.beside().file_name().unwrap(), ".weights.pth.sha256");
        assert_eq!(fs::read_dir(case.file.parent().unwrap()).unwrap().count(), 2);
        assert!(!case.folder.path().join("home").exists());
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let case = Case::new();
        let time = fs::metadata(&case.file).unwrap().modified().unwrap();
        assert_eq!(case.checksum(), read(ABC));
        // In place, with the same size and modification time.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&case.file, "abd").unwrap();
        File::options().write(true).open(&case.file).unwrap().set_modified(time).unwrap();
        assert_eq!(case.checksum(), read(ABD));
        assert_eq!(case.checksum(), not_read(ABD));
        // Replaced by another file with the same times.
        let other = case.file.with_file_name("other");
        fs::write(&other, "abc").unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(other, &case.file).unwrap();
        assert_eq!(case.checksum(), read(ABC));
        fs::write(&case.file, "abcd").unwrap();
        assert!(case.checksum().1);
    }

    #[test]
    fn each_part_of_the_stamp_counts() {
        let stamp = Stamp { size: 3, inode: 4, modified: (5, 6), changed: (7, 8), owner: 9 };
        let others = [
            Stamp { size: 0, ..stamp },
            Stamp { inode: 0, ..stamp },
            Stamp { modified: (0, 6), ..stamp },
            Stamp { modified: (5, 0), ..stamp },
            Stamp { changed: (0, 8), ..stamp },
            Stamp { changed: (7, 0), ..stamp },
        ];
        assert!(others.iter().all(|other| other.entry("x") != stamp.entry("x")));
        // No entry is longer than what is read of it.
        let time = (i64::MIN, i64::MAX);
        let longest = Stamp { size: u64::MAX, inode: u64::MAX, modified: time, changed: time, owner: 0 };
        assert!((longest.entry(&"f".repeat(64)).len() as u64) < LARGEST);
    }

    #[test]
    fn a_young_file_is_not_kept() {
        let mut case = Case::new();
        let later = case.cache.now;
        for now in [SystemTime::now(), SystemTime::now() - Duration::from_secs(60), UNIX_EPOCH] {
            case.cache.now = now;
            assert_eq!((case.checksum(), case.checksum()), (read(ABC), read(ABC)));
        }
        case.cache.now = later;
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), not_read(ABC)));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_not_kept() {
        let case = Case::new();
        let changed = case.cache.checksum(&case.file, |file| {
            let checksum = hash(file)?;
            fs::write(&case.file, "abcd")?;
            Ok(checksum)
        });
        assert!(changed.is_ok() && !case.beside().exists());
    }

    #[test]
    fn a_small_file_is_not_kept() {
        let mut case = Case::new();
        case.cache.smallest = 4;
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), read(ABC)));
        assert!(!case.beside().exists());
    }

    #[test]
    fn a_damaged_cache_is_ignored_and_replaced() {
        let case = Case::new();
        case.checksum();
        let good = fs::read(case.beside()).unwrap();
        let mut wrong = vec![Vec::new(), b"\xff".to_vec(), vec![b'0'; 1 << 20], good[..good.len() - 1].to_vec()];
        wrong.extend((0..good.len()).map(|at| {
            let mut bytes = good.clone();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            bytes
        }));
        for bytes in wrong {
            fs::write(case.beside(), &bytes).unwrap();
            assert_eq!(case.checksum(), read(ABC), "{}", String::from_utf8_lossy(&bytes));
            assert_eq!(fs::read(case.beside()).unwrap(), good);
        }
    }

    #[test]
    fn a_link_is_neither_read_nor_followed() {
        let case = Case::new();
        case.checksum();
        let target = case.folder.path().join("target");
        fs::rename(case.beside(), &target).unwrap();
        let before = fs::read(&target).unwrap();
        fs::write(&target, [&before[..], b"x"].concat()).unwrap();
        symlink(&target, case.beside()).unwrap();
        assert_eq!(case.checksum(), read(ABC));
        assert!(fs::symlink_metadata(case.beside()).unwrap().is_file());
        assert_eq!(fs::read(&target).unwrap().last(), Some(&b'x'));
        // A folder of that name is not an error either.
        fs::remove_file(case.beside()).unwrap();
        fs::create_dir(case.beside()).unwrap();
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), not_read(ABC)));
    }

    #[test]
    fn the_cache_of_another_owner_is_ignored() {
        let case = Case::new();
        case.checksum();
        let stamp = Stamp::of(&fs::metadata(&case.file).unwrap()).unwrap();
        assert!(kept(&case.beside(), &stamp, Some(stamp.owner)).is_some());
        assert!(kept(&case.beside(), &stamp, Some(stamp.owner + 1)).is_none());
        fs::remove_file(case.beside()).unwrap();
        assert!(keep(&case.beside(), "", Some(stamp.owner + 1)).is_err());
        assert_eq!(fs::read_dir(case.file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_checksum_that_cannot_be_kept_beside_the_file_is_kept_by_the_user() {
        let mut case = Case::new();
        // A name that is too long with the affixes of the cache file is one that cannot be written, also by root.
        let name = case.file.with_file_name("x".repeat(250));
        fs::rename(&case.file, &name).unwrap();
        case.file = name;
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), not_read(ABC)));
        assert_eq!(fs::read_dir(case.folder.path().join("home/gtr")).unwrap().count(), 1);
        // With neither, each call reads the file.
        case.cache.users = Some(case.file.join("gtr"));
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), read(ABC)));
        case.cache.users = None;
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), read(ABC)));
    }

    #[test]
    fn a_read_only_folder_is_not_an_error() {
        let case = Case::new();
        let folder = case.file.parent().unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
        // Root can write there all the same.
        assert_eq!((case.checksum(), case.checksum()), (read(ABC), not_read(ABC)));
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_users_folder_follows_the_environment() {
        let folder = |cache: Option<&str>, home: Option<&str>| {
            let given = [("XDG_CACHE_HOME", cache), ("HOME", home)];
            users_folder(|name| given.iter().find(|(known, _)| *known == name)?.1.map(OsString::from))
        };
        assert_eq!(folder(Some("/c"), Some("/h")), Some(PathBuf::from("/c/gtr")));
        assert_eq!(folder(Some("relative"), Some("/h")), Some(PathBuf::from("/h/.cache/gtr")));
        assert_eq!(folder(None, None), None);
    }
}
