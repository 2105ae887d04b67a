//! Checkpoints that are split into several files with an index, as on Hugging Face.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use serde::Deserialize;

use super::format::Format;
use super::{Dtype, Source, TensorInfo};
use crate::BackendError;
use crate::bounded_read::read_bounded;

/// Largest accepted index, in bytes.
const LARGEST_INDEX: u64 = 64 << 20;
/// Largest accepted number of files.
const MOST_FILES: usize = 1024;

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
#[serde(expecting = "an object with `weight_map`")]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Open files, and the file that holds each tensor.
pub(super) struct Parts {
    files: Vec<(String, Format)>,
    places: BTreeMap<String, usize>,
    /// Tensors of missing files, with the names of these files. A model may not need them.
    absent: BTreeMap<String, String>,
}

/// Returns true if the file name is that of an index.
pub(super) fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

/// Returns the index next to a file that is one of several by its name, such as `model-00001-of-00002.safetensors`.
pub(super) fn index_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (start, ending) = name.rsplit_once('.')?;
    let (start, total) = start.rsplit_once("-of-")?;
    let (start, number) = start.rsplit_once('-')?;
    if [number, total].iter().any(|digits| digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let index = path.with_file_name(format!("{start}.{ending}.index.json"));
    index.exists().then(|| index.display().to_string())
}

impl Parts {
    /// Opens the files that an index names, in the folder of the index.
    pub(super) fn open(index: &Path) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Checkpoint { file: index.display().to_string(), reason };
        let bytes = read_bounded(index, LARGEST_INDEX)?;
        let map: Index =
            serde_json::from_slice(&bytes).map_err(|error| wrong(format!("it is not an index of files: {error}")))?;
        let folder = index.parent().unwrap_or(Path::new(""));
        let mut numbers: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let mut parts = Self { files: Vec::new(), places: BTreeMap::new(), absent: BTreeMap::new() };
        for (tensor, name) in map.weight_map {
            let number = if let Some(&number) = numbers.get(&name) {
                number
            } else {
                let mut components = Path::new(&name).components();
                if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
                    return Err(wrong(format!("it names the file `{name}`, which is not in the same folder")));
                }
                if numbers.len() == MOST_FILES {
                    return Err(wrong(format!("it names more than {MOST_FILES} files")));
                }
                let number = parts.add(&folder.join(&name), &name)?;
                numbers.insert(name.clone(), number);
                number
            };
            let Some(number) = number else {
                parts.absent.insert(tensor, name);
                continue;
            };
            if parts.files[number].1.info(0, &tensor).is_none() {
                return Err(wrong(format!("`{tensor}` is missing in `{name}`, where the index places it")));
            }
            parts.places.insert(tensor, number);
        }
        match numbers.iter().next() {
            None => Err(wrong("it names no files".into())),
            Some((name, _)) if parts.files.is_empty() => {
                Err(wrong(format!("none of its files is next to it, the first is `{name}`: download them too")))
            }
            Some(_) => Ok(parts),
        }
    }

    /// Opens a file and returns its index, or `None` if it does not exist.
    fn add(&mut self, path: &Path, name: &str) -> Result<Option<usize>, BackendError> {
        let source = match Source::open(path) {
            Err(BackendError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let format = Format::open(source)
            .map_err(|reason| BackendError::Checkpoint { file: path.display().to_string(), reason })?;
        self.files.push((name.to_owned(), format));
        Ok(Some(self.files.len() - 1))
    }

    /// Number of open files.
    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Name of the missing file that should hold a tensor.
    pub(super) fn absent(&self, tensor: &str) -> Option<&str> {
        self.absent.get(tensor).map(String::as_str)
    }

    pub(super) fn info(&self, tensor: &str) -> Option<TensorInfo> {
        self.files.get(*self.places.get(tensor)?)?.1.info(0, tensor)
    }

    /// Reads the elements of a tensor into `bytes`.
    pub(super) fn read(&mut self, tensor: &str, bytes: &mut Vec<u8>) -> Result<Dtype, String> {
        let number = *self.places.get(tensor).ok_or("there is no such tensor")?;
        let (name, format) = self.files.get_mut(number).ok_or("there is no such tensor")?;
        format.read(0, tensor, bytes).map_err(|reason| format!("in `{name}`: {reason}"))
    }
}
