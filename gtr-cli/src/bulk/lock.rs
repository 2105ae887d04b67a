//! Locks a shard, so that only one process generates it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Once;

use super::holder::{Claim, Claimed, Holder};
use crate::error::CliError;
use crate::output;

/// Prints the note on missing locks once.
static TOLD: Once = Once::new();

/// A held lock on a shard. The system releases it when the process ends; the file remains.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Open, locked file.
    _file: File,
    /// Lock file with the identity of this process, if the file system has no locks.
    _claim: Option<Claim>,
}

/// Result of an attempt to take a lock.
#[derive(Debug)]
pub(crate) enum Taken {
    /// This process holds the lock.
    Ours(Lock),
    /// Another process holds the lock. Its identity is only known if the file system has no locks.
    Theirs(Option<Holder>),
}

impl Lock {
    /// Takes the lock of a shard. Returns an error if another process holds it.
    pub(crate) fn take(path: &Path) -> Result<Self, CliError> {
        match Self::try_take(path)? {
            Taken::Ours(lock) => Ok(lock),
            Taken::Theirs(None) => Err(CliError::Failure(format!(
                "another process is generating this part and holds the lock {}: wait for it or end it first",
                path.display()
            ))),
            Taken::Theirs(Some(holder)) => {
                Err(CliError::Failure(format!("{holder} is generating this part: {}", holder.advice())))
            }
        }
    }

    /// Takes the lock if no other process holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Taken, CliError> {
        Self::try_take_by(path, File::try_lock)
    }

    /// Like [`Lock::try_take`], with a function that locks a file.
    fn try_take_by(path: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Taken, CliError> {
        let shown = path.display();
        // Opening a pipe would block until another process reads it.
        let file = if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            Err(io::Error::other("it is not a regular file"))
        } else {
            File::options().create(true).append(true).open(path)
        };
        let file = file.map_err(|error| CliError::failure(format_args!("cannot write {shown}"), &error))?;
        match lock(&file) {
            Ok(()) => Ok(Taken::Ours(Self { _file: file, _claim: None })),
            Err(TryLockError::WouldBlock) => Ok(Taken::Theirs(None)),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                Ok(match Claim::create(&path.with_extension("holder"))? {
                    Claimed::Ours(claim) => {
                        let place = claim.path().display();
                        TOLD.call_once(|| {
                            output::note(format_args!(
                                "the file system has no locks ({error}): using the lock file {place} instead"
                            ));
                        });
                        Taken::Ours(Self { _file: file, _claim: Some(claim) })
                    }
                    Claimed::Theirs(holder) => Taken::Theirs(Some(holder)),
                })
            }
            Err(TryLockError::Error(error)) => Err(CliError::failure(format_args!("cannot lock {shown}"), &error)),
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
        let lock = Lock::take(&path).unwrap();
        assert!(Lock::take(&path).unwrap_err().to_string().contains("another process"));
        drop(lock);
        Lock::take(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn without_locks_a_file_names_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.lock");
        for number in [nix::libc::ENOLCK, nix::libc::ENOSYS, nix::libc::EOPNOTSUPP] {
            let none = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(number)));
            let Taken::Ours(lock) = Lock::try_take_by(&path, none).unwrap() else {
                panic!("no process holds the lock")
            };
            assert!(matches!(Lock::try_take_by(&path, none).unwrap(), Taken::Theirs(Some(_))));
            drop(lock);
            assert!(matches!(Lock::try_take_by(&path, none).unwrap(), Taken::Ours(_)));
        }
        let other = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(nix::libc::EIO)));
        assert!(Lock::try_take_by(&path, other).unwrap_err().to_string().starts_with("cannot lock "));
    }
}
