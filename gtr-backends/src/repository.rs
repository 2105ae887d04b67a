//! Models whose files are in the repository and not embedded in the program.

use std::env;
use std::path::{Path, PathBuf};

use crate::BackendError;

/// A model with a built-in name, whose files are in a clone of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepositoryModel {
    /// Name on the command line.
    pub name: &'static str,
    /// Short description of the generated images.
    pub summary: &'static str,
    /// Folder in the repository, with `config.json`, weights and judge.
    pub folder: &'static str,
}

/// All models whose files are in the repository.
pub const IN_REPOSITORY: &[RepositoryModel] = &[RepositoryModel {
    name: "fashion",
    summary: "clothes, 16x16 tokens, 32x32 pixels, 10 classes",
    folder: "models/mar-fashion",
}];

impl RepositoryModel {
    /// Returns the model with this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        IN_REPOSITORY.iter().find(|model| model.name == name)
    }

    /// Finds the folder of the model: below the current folder or one of its ancestors, or below an ancestor of the
    /// program, which may be built in a clone.
    pub(crate) fn place(&self) -> Result<PathBuf, BackendError> {
        let program = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
        self.place_from(env::current_dir().ok().into_iter().chain(program).collect())
    }

    fn place_from(&self, starts: Vec<PathBuf>) -> Result<PathBuf, BackendError> {
        let places = starts.iter().flat_map(|start| start.ancestors()).map(|folder| folder.join(self.folder));
        match places.into_iter().find(|place| place.join("config.json").is_file()) {
            Some(place) => Ok(place),
            None => Err(BackendError::NotHere { name: self.name, folder: self.folder, looked: starts }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_found_in_a_clone_and_nowhere_else() {
        let clone = tempfile::tempdir().unwrap();
        let fashion = RepositoryModel::find("fashion").unwrap();
        let below = clone.path().join("some/where");
        let error = fashion.place_from(vec![below.clone()]).unwrap_err().to_string();
        assert!(error.contains("models/mar-fashion/config.json in ") && error.contains("some/where"), "{error}");
        let folder = clone.path().join(fashion.folder);
        fs::create_dir_all(&folder).unwrap();
        assert!(fashion.place_from(vec![below.clone()]).is_err());
        fs::write(folder.join("config.json"), "{}").unwrap();
        assert_eq!(fashion.place_from(vec![below]).unwrap(), folder);
        assert_eq!(RepositoryModel::find("fashions"), None);
    }
}
