//! Where a judge is: it belongs to the model whose images it judges.

use std::path::{Path, PathBuf};

use super::classifier::WEIGHTS;
use super::reference::HALVES;
use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::families::Families;
use crate::files::read_bounded;
use crate::fingerprint;
use crate::repository::RepositoryModel;

/// A file of a judge that is larger than this is refused before it is read.
const LARGEST: u64 = 1 << 24;

/// Where a judge is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the program: the judge of digits.
    #[default]
    BuiltIn,
    /// In a folder with `classifier.safetensors` and `halves.safetensors`, as `tools/train_judge.py` writes them.
    Folder(PathBuf),
}

impl Origin {
    /// Where the judge of a model is: in the folder `judge` beside its `config.json`. Where there is none, it is the judge of
    /// digits; a model of the repository always has its own.
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
        let Some(folder) = Families::builtin().folder(model)? else { return Ok(Self::BuiltIn) };
        let folder = folder.join("judge");
        let its_own = RepositoryModel::find(model).is_some() || folder.is_dir();
        Ok(if its_own { Self::Folder(folder) } else { Self::BuiltIn })
    }

    /// The files, read.
    pub(super) fn open(&self) -> Result<Files, BackendError> {
        let Self::Folder(folder) = self else {
            return Ok(Files {
                classifier: Checkpoint::from_bytes("the digit classifier", WEIGHTS)?,
                halves: Checkpoint::from_bytes("the halves of the digits", HALVES)?,
                fingerprint: fingerprint::of(WEIGHTS),
            });
        };
        let classifier = folder.join("classifier.safetensors");
        let bytes = read_bounded(&classifier, LARGEST)?;
        let fingerprint = fingerprint::of(&bytes);
        let halves = folder.join("halves.safetensors");
        let read = |path: &Path, bytes: Vec<u8>| Checkpoint::from_bytes(&path.display().to_string(), bytes);
        Ok(Files {
            classifier: read(&classifier, bytes)?,
            halves: read(&halves, read_bounded(&halves, LARGEST)?)?,
            fingerprint,
        })
    }
}

/// What a judge is read from.
pub(super) struct Files {
    pub(super) classifier: Checkpoint,
    pub(super) halves: Checkpoint,
    /// The SHA-256 of the classifier.
    pub(super) fingerprint: String,
}
