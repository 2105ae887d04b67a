//! Location of a judge. Each judge belongs to one model.

use std::path::{Path, PathBuf};

use super::classifier::WEIGHTS;
use super::reference::HALVES;
use crate::BackendError;
use crate::bounded_read::read_bounded;
use crate::checkpoint::Checkpoint;
use crate::families::Families;
use crate::repository::RepositoryModel;
use crate::sha256;

/// Largest accepted file of a judge, in bytes.
const LARGEST: u64 = 1 << 24;

/// Location of a judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The built-in judge of the digits model.
    #[default]
    BuiltIn,
    /// A folder with `classifier.safetensors` and `halves.safetensors`, as written by `tools/train_judge.py`.
    Folder(PathBuf),
}

impl Origin {
    /// Finds the judge of a model: the folder `judge` next to its `config.json`, or the judge of the digits model if
    /// there is none. A model of the repository always has its own judge.
    ///
    /// # Errors
    /// [`BackendError::UnknownModel`] if it is neither a name nor a path.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::judge::Origin;
    /// assert_eq!(Origin::of("digits")?, Origin::BuiltIn);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn of(model: &str) -> Result<Self, BackendError> {
        Self::of_in(&Families::builtin(), model)
    }

    /// Like [`Origin::of`], for a model of any of `families`.
    ///
    /// # Errors
    /// Those of [`Origin::of`].
    pub fn of_in(families: &Families, model: &str) -> Result<Self, BackendError> {
        let Some(folder) = families.folder(model)? else { return Ok(Self::BuiltIn) };
        let folder = folder.join("judge");
        let its_own = RepositoryModel::find(model).is_some() || folder.is_dir();
        Ok(if its_own { Self::Folder(folder) } else { Self::BuiltIn })
    }

    /// Opens the files.
    pub(super) fn open(&self) -> Result<Files, BackendError> {
        let Self::Folder(folder) = self else {
            return Ok(Files {
                classifier: Checkpoint::from_bytes("the built-in digit classifier", WEIGHTS)?,
                halves: Checkpoint::from_bytes("the built-in statistics of the digits", HALVES)?,
                fingerprint: sha256::of(WEIGHTS),
            });
        };
        let classifier = folder.join("classifier.safetensors");
        let bytes = read_bounded(&classifier, LARGEST)?;
        let fingerprint = sha256::of(&bytes);
        let halves = folder.join("halves.safetensors");
        let read = |path: &Path, bytes: Vec<u8>| Checkpoint::from_bytes(&path.display().to_string(), bytes);
        Ok(Files {
            classifier: read(&classifier, bytes)?,
            halves: read(&halves, read_bounded(&halves, LARGEST)?)?,
            fingerprint,
        })
    }
}

/// Open files of a judge.
pub(super) struct Files {
    pub(super) classifier: Checkpoint,
    pub(super) halves: Checkpoint,
    /// SHA-256 of the classifier, in hexadecimal.
    pub(super) fingerprint: String,
}
