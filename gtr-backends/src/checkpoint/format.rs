//! Formats of checkpoints, detected from the first bytes of a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::section::Collection;
use super::{Dtype, Source, TensorInfo, WeightLayout, parts, random, safetensors, torch};
use crate::placeholder::{PLACEHOLDER_BYTES, placeholder};

/// An open file. Collections of tensors are addressed by index, tensors by their name in the file.
pub(super) enum Format {
    Safetensors(safetensors::File),
    Torch(Box<torch::File>),
    Parts(parts::Parts),
    Random(Random),
}

/// Weights generated from a seed, without a file.
pub(super) struct Random {
    seed: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Format {
    /// Detects the format and opens the file.
    pub(super) fn open(mut source: Source) -> Result<Self, String> {
        let length = source.len().map_err(|error| error.to_string())?;
        let mut start = Vec::new();
        #[expect(clippy::cast_possible_truncation, reason = "bounded")]
        let head = length.min(PLACEHOLDER_BYTES as u64) as usize;
        source.read_at(0, head, &mut start).map_err(|error| error.to_string())?;
        if start.starts_with(b"PK\x03\x04") {
            return Ok(Self::Torch(torch::File::open_archive(source)?.into()));
        }
        if torch::begins_legacy(&start) {
            return Ok(Self::Torch(torch::File::open_legacy(source)?.into()));
        }
        let file = safetensors::File::open(source);
        // Other file types are diagnosed only after safetensors has failed.
        file.map(Self::Safetensors).map_err(|reason| placeholder(&start).or_else(|| other(&start)).unwrap_or(reason))
    }

    pub(super) fn random(layout: &WeightLayout, seed: u64) -> Self {
        let info = |shape: &[usize]| TensorInfo { shape: shape.to_vec(), dtype: Some(Dtype::F32) };
        let tensors = layout.tensors().map(|(name, shape)| (name.to_owned(), info(shape))).collect();
        Self::Random(Random { seed, tensors })
    }

    /// Name of the format, as a noun phrase.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Safetensors(_) => "safetensors".into(),
            Self::Torch(file) => file.format().into(),
            Self::Parts(parts) => format!("an index of {}", gtr_core::count(parts.count(), "file")).into(),
            Self::Random(_) => "random weights".into(),
        }
    }

    /// All collections, outermost first.
    pub(super) fn collections(&self) -> Vec<Collection<'_>> {
        let outermost = |tensors| vec![Collection { path: Vec::new(), tensors }];
        match self {
            Self::Safetensors(file) => outermost(file.names()),
            Self::Parts(parts) => outermost(parts.names().collect()),
            Self::Random(random) => outermost(random.tensors.keys().map(String::as_str).collect()),
            Self::Torch(file) => {
                let dictionaries = file.dictionaries().iter();
                let collections = dictionaries.map(|it| Collection {
                    path: it.path.iter().map(|name| &**name).collect(),
                    tensors: it.names().collect(),
                });
                collections.collect()
            }
        }
    }

    /// Shape and type of a tensor.
    pub(super) fn info(&self, collection: usize, name: &str) -> Option<TensorInfo> {
        match self {
            Self::Safetensors(file) => file.info(name),
            Self::Parts(parts) => parts.info(name),
            Self::Random(random) => random.tensors.get(name).cloned(),
            Self::Torch(file) => file.dictionaries().get(collection)?.info(name),
        }
    }

    /// Reads the elements of a tensor into `bytes` (little endian, row-major).
    pub(super) fn read(&mut self, collection: usize, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, String> {
        match self {
            Self::Safetensors(file) => file.read(name, bytes),
            Self::Torch(file) => file.read(collection, name, bytes),
            Self::Parts(parts) => parts.read(name, bytes),
            Self::Random(random) => {
                let info = random.tensors.get(name).ok_or("there is no such tensor")?;
                bytes.clear();
                random::append(bytes, random.seed, name, &info.shape);
                Ok(Dtype::F32)
            }
        }
    }
}

/// Identifies files that are often confused with checkpoints.
fn other(start: &[u8]) -> Option<String> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    match start {
        [0x80, 2..=5, ..] => Some(
            "it is a Python pickle, but not from torch.save; save its tensors with torch.save or safetensors".into(),
        ),
        _ if start.starts_with(b"\x93NUMPY") => Some("it is a NumPy array, not a checkpoint".into()),
        _ if start.starts_with(b"\x89PNG") => Some("it is a PNG image, not a checkpoint".into()),
        _ if text.starts_with(b"{") => {
            Some("it is JSON text, not a checkpoint; give the file that holds the weights".into())
        }
        _ => None,
    }
}
