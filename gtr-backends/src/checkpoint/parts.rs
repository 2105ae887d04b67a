//! Checkpoints that are spread over several files, as Hugging Face writes large ones.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::Deserialize;

use super::{Checkpoint, Section, TensorInfo};
use crate::BackendError;
use crate::files::read_bounded;

/// An index larger than this is refused before it is read.
const LARGEST_INDEX: u64 = 64 << 20;
/// More files than this no checkpoint has.
const MOST_FILES: usize = 1024;

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The open files, and which of them holds a tensor.
pub(super) struct Parts {
    files: Vec<Checkpoint>,
    places: BTreeMap<String, usize>,
}

impl Parts {
    /// Opens the files that an index names; they lie beside it.
    pub(super) fn open(index: &Path) -> Result<(Self, BTreeMap<String, TensorInfo>), BackendError> {
        let wrong = |reason: String| BackendError::Checkpoint { file: index.display().to_string(), reason };
        let bytes = read_bounded(index, LARGEST_INDEX)?;
        let map: Index = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let folder = index.parent().unwrap_or(Path::new(""));
        let (mut numbers, mut files) = (BTreeMap::new(), Vec::new());
        let (mut places, mut infos) = (BTreeMap::new(), BTreeMap::new());
        for (tensor, name) in map.weight_map {
            let number = if let Some(&number) = numbers.get(&name) {
                number
            } else {
                let mut parts = Path::new(&name).components();
                if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                    return Err(wrong(format!("it names the file `{name}`, which does not lie beside it")));
                }
                if files.len() == MOST_FILES {
                    return Err(wrong(format!("it names more than {MOST_FILES} files")));
                }
                files.push(Checkpoint::open_section(&folder.join(&name), Some(Section::Whole))?);
                numbers.insert(name.clone(), files.len() - 1);
                files.len() - 1
            };
            let info = files[number].info(&tensor).cloned();
            let info = info.ok_or_else(|| wrong(format!("`{tensor}` is not in `{name}`, where it should be")))?;
            infos.insert(tensor.clone(), info);
            places.insert(tensor, number);
        }
        Ok((Self { files, places }, infos))
    }

    /// The file that holds a tensor.
    pub(super) fn file(&mut self, tensor: &str) -> Option<&mut Checkpoint> {
        self.places.get(tensor).and_then(|&number| self.files.get_mut(number))
    }
}
