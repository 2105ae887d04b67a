//! Locks a shard, so that only one process generates it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::owner::{Claim, Claimed, Holder};
use crate::{Error, Notes};

/// A held lock on a shard. The system releases it when the process ends; the file remains.
///
/// # Examples
/// ```
/// use gtr_run::Notes;
/// use gtr_run::bulk::{Lock, Taken};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("part.lock");
/// let lock = Lock::take(&path, &Notes::none())?;
/// assert!(matches!(Lock::try_take(&path, &Notes::none())?, Taken::Theirs(_)));
/// # drop(lock);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lock {
    /// Open, locked file.
    _file: File,
    /// Lock file with the identity of this process, if the file system has no locks.
    _claim: Option<Claim>,
}

/// Result of an attempt to take a lock.
#[derive(Debug)]
pub enum Taken {
    /// This process holds the lock.
    Ours(Lock),
    /// Another process holds the lock. Its identity is only known if the file system has no locks.
    Theirs(Option<Holder>),
}

impl Lock {
    /// Takes the lock of a shard.
    ///
    /// # Errors
    /// [`Error::Failure`] if another process holds the lock, or if the file cannot be written.
    pub fn take(path: &Path, notes: &Notes) -> Result<Self, Error> {
        match Self::try_take(path, notes)? {
            Taken::Ours(lock) => Ok(lock),
            Taken::Theirs(None) => Err(Error::Failure(format!(
                "another process is generating this part and holds the lock {}: wait for it or end it first",
                path.display()
            ))),
            Taken::Theirs(Some(holder)) => {
                Err(Error::Failure(format!("{holder} is generating this part: {}", holder.advice())))
            }
        }
    }

    /// Takes the lock if no other process holds it.
    ///
    /// # Errors
    /// [`Error::Failure`] if the file cannot be written or locked.
    pub fn try_take(path: &Path, notes: &Notes) -> Result<Taken, Error> {
        Self::try_take_by(path, notes, File::try_lock)
    }

    /// Like [`Lock::try_take`], with a function that locks a file.
    fn try_take_by(
        path: &Path,
        notes: &Notes,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Taken, Error> {
        let shown = path.display();
        // Opening a pipe would block until another process reads it.
        let file = if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            Err(io::Error::other("it is not a regular file"))
        } else {
            File::options().create(true).append(true).open(path)
        };
        let file = file.map_err(|error| Error::failure(format_args!("cannot write {shown}"), &error))?;
        match lock(&file) {
            Ok(()) => Ok(Taken::Ours(Self { _file: file, _claim: None })),
            Err(TryLockError::WouldBlock) => Ok(Taken::Theirs(None)),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                Ok(match Claim::create(&path.with_extension("holder"), notes)? {
                    Claimed::Ours(claim) => {
                        let place = claim.path().display();
                        // Once is enough.
                        notes.say_once(
                            "no locks",
                            format_args!("the file system has no locks ({error}): using the lock file {place} instead"),
                        );
                        Taken::Ours(Self { _file: file, _claim: Some(claim) })
                    }
                    Claimed::Theirs(holder) => Taken::Theirs(Some(holder)),
                })
            }
            Err(TryLockError::Error(error)) => Err(Error::failure(format_args!("cannot lock {shown}"), &error)),
        }
    }
}

/// Returns true if an error means that the file system has no locks, such as Lustre without `flock` or NFS without a lock
/// service.
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let none = [Errno::ENOLCK, Errno::ENOSYS, Errno::EOPNOTSUPP, Errno::ENOTSUP];
        error.raw_os_error().is_some_and(|number| none.contains(&Errno::from_raw(number)))
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.lock");
        let lock = Lock::take(&path, &Notes::none()).unwrap();
        assert!(Lock::take(&path, &Notes::none()).unwrap_err().to_string().contains("another process"));
        drop(lock);
        Lock::take(&path, &Notes::none()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn without_locks_a_file_names_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.lock");
        for number in [nix::libc::ENOLCK, nix::libc::ENOSYS, nix::libc::EOPNOTSUPP] {
            let none = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(number)));
            let Taken::Ours(lock) = Lock::try_take_by(&path, &Notes::none(), none).unwrap() else {
                panic!("no process holds the lock")
            };
            assert!(matches!(Lock::try_take_by(&path, &Notes::none(), none).unwrap(), Taken::Theirs(Some(_))));
            drop(lock);
            assert!(matches!(Lock::try_take_by(&path, &Notes::none(), none).unwrap(), Taken::Ours(_)));
        }
        let other = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(nix::libc::EIO)));
        assert!(Lock::try_take_by(&path, &Notes::none(), other).unwrap_err().to_string().starts_with("cannot lock "));
    }
}
