//! One process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::CliError;

/// The right to make images. The system takes it back when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Locked as long as it is open.
    _file: File,
}

impl Lock {
    /// Takes the lock of a part, or says that another process has it.
    pub(crate) fn take(path: &Path) -> Result<Self, CliError> {
        Self::try_take(path)?.ok_or_else(|| {
            let shown = path.display();
            CliError::Failure(format!(
                "another process is making this part, it holds {shown}: wait for it, or end it first"
            ))
        })
    }

    /// Takes the lock, unless another process has it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, CliError> {
        let shown = path.display();
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|error| CliError::failure(format_args!("cannot write {shown}"), &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(CliError::failure(format_args!("cannot lock {shown}"), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn a_lock_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0-of-1.lock");
        let lock = Lock::take(&path).unwrap();
        assert!(Lock::take(&path).unwrap_err().to_string().contains("another process"));
        drop(lock);
        Lock::take(&path).unwrap();
    }
}
