//! Checkpoints: named tensors in a file. Files are untrusted input; every field is checked.
//!
//! Three formats are supported: safetensors and the two formats of `torch.save`. Tensors are read one at a time, so a
//! checkpoint is never in memory as a whole. Every length that a file states is checked against the size of the file
//! before memory is allocated. `conventions.rs` defines the meaning of the names in a file.

mod conventions;
mod convert;
mod dtype;
mod format;
pub(crate) mod header;
mod inventory;
mod kind;
mod packed;
mod parts;
mod random;
mod safetensors;
mod section;
mod source;
mod torch;
mod weights;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use self::convert::{ConvertOptions, Converted, convert};
pub use self::dtype::Dtype;
use self::dtype::{to_f32, to_f64};
use self::format::Format;
pub use self::inventory::{Inventory, SectionInventory};
pub use self::kind::Kind;
pub use self::section::{Section, Wanted, WeightsKind};
pub use self::source::Source;
pub use self::weights::{WeightLayout, Weights};
use crate::BackendError;

/// Shape and element type of a tensor in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Size of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// Element type; `None` for a tensor that cannot be read (an unsupported type, or built by unknown code).
    pub dtype: Option<Dtype>,
}

/// An open checkpoint.
///
/// # Examples
/// ```no_run
/// use gtr_backends::checkpoint::Checkpoint;
/// let mut checkpoint = Checkpoint::open("checkpoint-last.pth".as_ref())?;
/// for (name, info) in checkpoint.tensors() {
///     println!("{name} {:?}", info.shape);
/// }
/// let values = checkpoint.read_f32("fake_latent")?;
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub struct Checkpoint {
    name: String,
    /// Keyed by name without the prefix.
    tensors: BTreeMap<String, TensorInfo>,
    section: Section,
    format: Format,
    /// Index of the collection in the file.
    collection: usize,
    /// Prefix of the names in the file.
    prefix: String,
    /// Path of the index file, if this file is one of several.
    index: Option<String>,
    /// Bytes of the last tensor read. Reusing the buffer avoids memory fragmentation.
    buffer: Vec<u8>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("name", &self.name).field("section", &self.section).finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// Selects the wanted tensors of a file.
    fn new(name: String, format: Format, wanted: &Wanted) -> Result<Self, BackendError> {
        let choice = {
            let collections = format.collections();
            section::choose(&collections, wanted)
                .map_err(|reason| BackendError::Checkpoint { file: name.clone(), reason })?
        };
        let (collection, prefix) = (choice.collection, choice.prefix);
        let mut tensors = BTreeMap::new();
        let names = format.collections().swap_remove(collection).tensors;
        for stored in names {
            if let (Some(name), Some(info)) = (stored.strip_prefix(&prefix), format.info(collection, stored)) {
                tensors.insert(name.to_owned(), info);
            }
        }
        let (section, index, buffer) = (choice.section, None, Vec::new());
        Ok(Self { name, tensors, section, format, collection, prefix, index, buffer })
    }

    /// Opens a file and detects its format from its content. An index file (`model.safetensors.index.json`) opens all
    /// files that it names. If the file has several sections, the averaged weights are selected, or the raw weights if
    /// there are no averaged ones; the names of the sections decide. [`Checkpoint::section`] returns the selected
    /// section and the others.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file cannot be read; [`BackendError::Checkpoint`] if it is not a checkpoint, or if
    /// no section has a known name.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        Self::open_section(path, &Wanted::Averaged)
    }

    /// Opens a file and selects the tensors of the wanted section.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`], and [`BackendError::Checkpoint`] if the file has no such section.
    pub fn open_section(path: &Path, wanted: &Wanted) -> Result<Self, BackendError> {
        if parts::is_index(path) {
            return Self::new(path.display().to_string(), Format::Parts(parts::Parts::open(path)?), wanted);
        }
        let mut checkpoint = Self::from_source(path.display().to_string(), Source::open(path)?, wanted)?;
        checkpoint.index = parts::index_of(path);
        Ok(checkpoint)
    }

    /// Creates a checkpoint with the tensors of `layout`. The values are generated from `seed` when they are read.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::checkpoint::{Checkpoint, WeightLayout, Section};
    /// let mut layout = WeightLayout::default();
    /// layout.add("fc1.weight", &[4, 3]);
    /// let mut checkpoint = Checkpoint::random("try", &layout, 7);
    /// assert_eq!(checkpoint.section(), &Section::random());
    /// assert_eq!(checkpoint.read_f32("fc1.weight")?.len(), 12);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn random(name: &str, layout: &WeightLayout, seed: u64) -> Self {
        let format = Format::random(layout, seed);
        let tensors = layout.tensors();
        let tensors = tensors.filter_map(|(name, _)| Some((name.to_owned(), format.info(0, name)?))).collect();
        let (name, section) = (format!("{name} (random)"), Section::random());
        let (collection, prefix, index, buffer) = (0, String::new(), None, Vec::new());
        Self { name, tensors, section, format, collection, prefix, index, buffer }
    }

    /// Opens a checkpoint from bytes in memory. `name` is used in messages.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if the bytes are not a checkpoint.
    pub fn from_bytes(name: &str, bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Result<Self, BackendError> {
        Self::from_source(name.to_owned(), Source::from(bytes.into()), &Wanted::Averaged)
    }

    fn from_source(name: String, source: Source, wanted: &Wanted) -> Result<Self, BackendError> {
        let format = Format::open(source);
        let format = format.map_err(|reason| BackendError::Checkpoint { file: name.clone(), reason })?;
        Self::new(name, format, wanted)
    }

    /// Name of the file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Section of the file that the tensors come from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// Metadata of a safetensors file, by key; empty for all other formats.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        match &self.format {
            Format::Safetensors(file) => file.texts(),
            Format::Torch(_) | Format::Parts(_) | Format::Random(_) => BTreeMap::new(),
        }
    }

    /// Shape and type of a tensor; `None` if there is no such tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// Advice for a missing tensor, if the checkpoint is split into several files.
    pub(crate) fn hint(&self, tensor: &str) -> Option<String> {
        if let Format::Parts(parts) = &self.format
            && let Some(file) = parts.absent(&format!("{}{tensor}", self.prefix))
        {
            return Some(format!("it is in `{file}`, which is not next to the index: download that file too"));
        }
        let index = self.index.as_ref()?;
        Some(format!("the file is one of several: use {index} instead"))
    }

    /// Size of one dimension of a tensor.
    pub(crate) fn dimension(&self, name: &str, dimension: usize) -> Option<usize> {
        self.info(name)?.shape.get(dimension).copied()
    }

    /// Number of consecutive blocks `name.0.`, `name.1.`, and so on.
    pub(crate) fn blocks(&self, name: &str) -> usize {
        let holds = |block: &usize| {
            let start = format!("{name}.{block}.");
            self.tensors.range(start.clone()..).next().is_some_and(|(name, _)| name.starts_with(&start))
        };
        (0..self.tensors.len()).take_while(holds).count()
    }

    /// Reads the values of a tensor as f32, in row-major order.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if there is no such tensor or it cannot be read.
    pub fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, BackendError> {
        self.decode(name, to_f32)
    }

    /// Reads the values of a tensor as f64, in row-major order.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if there is no such tensor or it cannot be read.
    pub fn read_f64(&mut self, name: &str) -> Result<Vec<f64>, BackendError> {
        self.decode(name, to_f64)
    }

    /// Reads a tensor and applies `decode` to its elements (little endian, row-major).
    fn decode<T>(&mut self, name: &str, decode: impl FnOnce(Dtype, &[u8]) -> T) -> Result<T, BackendError> {
        let mut bytes = std::mem::take(&mut self.buffer);
        let decoded = self.raw(name, &mut bytes).map(|dtype| decode(dtype, &bytes));
        self.buffer = bytes;
        decoded
    }

    /// Reads the elements of a tensor into `bytes` (little endian, row-major).
    fn raw(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, BackendError> {
        let read = self.format.read(self.collection, &format!("{}{name}", self.prefix), bytes);
        read.map_err(|reason| self.wrong(name, reason))
    }

    fn wrong(&self, name: &str, reason: String) -> BackendError {
        BackendError::Tensor { file: self.name.clone(), name: name.to_owned(), reason }
    }
}
