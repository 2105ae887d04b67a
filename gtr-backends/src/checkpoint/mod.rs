//! Checkpoints: named tensors in a file, of which nothing is trusted.
//!
//! Three formats are read: safetensors, and both of `torch.save`. Tensors are read one at a time, so that a checkpoint
//! never lies in memory as a whole, and every length that a file states is compared with what the file holds before memory
//! is reserved for it. What the names in a file mean stands in `conventions.rs`.

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
pub use self::weights::{Layout, Weights};
use crate::BackendError;

/// What a checkpoint says of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape.
    pub shape: Vec<usize>,
    /// The type of its elements; `None` for a tensor that can not be read (another type, or built by unknown code).
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
    /// By their names without the prefix.
    tensors: BTreeMap<String, TensorInfo>,
    section: Section,
    format: Format,
    /// The number of the collection in the file.
    collection: usize,
    /// What names begin with in the file.
    prefix: String,
    /// The index beside a file that is one of several.
    index: Option<String>,
    /// The bytes of the tensor read last: reading one after the other then leaves no holes in memory.
    buffer: Vec<u8>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("name", &self.name).field("section", &self.section).finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// The tensors of a file that are wanted.
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

    /// Opens a file; the format is recognised by its content. An index of files (`model.safetensors.index.json`) stands for
    /// the files that it names. Of several sections the averaged weights are taken if there are some, else the raw ones, as
    /// their names tell; [`Checkpoint::section`] says which, and what else there is.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file can not be read, [`BackendError::Checkpoint`] if it is not a checkpoint, or if none
    /// of its sections has a name that is known for weights.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        Self::open_section(path, &Wanted::Averaged)
    }

    /// Opens a file and takes the tensors of the section that is wanted.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and [`BackendError::Checkpoint`] if the file has no such section.
    pub fn open_section(path: &Path, wanted: &Wanted) -> Result<Self, BackendError> {
        if parts::is_index(path) {
            return Self::new(path.display().to_string(), Format::Parts(parts::Parts::open(path)?), wanted);
        }
        let mut checkpoint = Self::from_source(path.display().to_string(), Source::open(path)?, wanted)?;
        checkpoint.index = parts::index_of(path);
        Ok(checkpoint)
    }

    /// A checkpoint with the tensors of `layout`, whose values come from a seed when they are read.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::checkpoint::{Checkpoint, Layout, Section};
    /// let mut layout = Layout::default();
    /// layout.add("fc1.weight", &[4, 3]);
    /// let mut checkpoint = Checkpoint::random("try", &layout, 7);
    /// assert_eq!(checkpoint.section(), &Section::random());
    /// assert_eq!(checkpoint.read_f32("fc1.weight")?.len(), 12);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn random(name: &str, layout: &Layout, seed: u64) -> Self {
        let format = Format::random(layout, seed);
        let tensors = layout.tensors();
        let tensors = tensors.filter_map(|(name, _)| Some((name.to_owned(), format.info(0, name)?))).collect();
        let (name, section) = (format!("{name} (random)"), Section::random());
        let (collection, prefix, index, buffer) = (0, String::new(), None, Vec::new());
        Self { name, tensors, section, format, collection, prefix, index, buffer }
    }

    /// A checkpoint that is part of the program.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if it is not one.
    pub fn from_bytes(name: &str, bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Result<Self, BackendError> {
        Self::from_source(name.to_owned(), Source::from(bytes.into()), &Wanted::Averaged)
    }

    fn from_source(name: String, source: Source, wanted: &Wanted) -> Result<Self, BackendError> {
        let format = Format::open(source);
        let format = format.map_err(|reason| BackendError::Checkpoint { file: name.clone(), reason })?;
        Self::new(name, format, wanted)
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where in the file the tensors come from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// The texts that a safetensors file holds beside its tensors; a `torch.save` archive has none.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        match &self.format {
            Format::Safetensors(file) => file.texts(),
            Format::Torch(_) | Format::Parts(_) | Format::Random(_) => BTreeMap::new(),
        }
    }

    /// What is known of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// What to do about a tensor that is not there, where something is known.
    pub(crate) fn hint(&self, tensor: &str) -> Option<String> {
        if let Format::Parts(parts) = &self.format
            && let Some(file) = parts.absent(&format!("{}{tensor}", self.prefix))
        {
            return Some(format!("it is in `{file}`, which does not lie beside the index: download that too"));
        }
        let index = self.index.as_ref()?;
        Some(format!("the file is one of several: name {index} instead"))
    }

    /// The size of a tensor in one dimension.
    pub(crate) fn dimension(&self, name: &str, dimension: usize) -> Option<usize> {
        self.info(name)?.shape.get(dimension).copied()
    }

    /// How many blocks there are whose tensors begin with `name` and a number.
    pub(crate) fn blocks(&self, name: &str) -> usize {
        let holds = |block: &usize| {
            let start = format!("{name}.{block}.");
            self.tensors.range(start.clone()..).next().is_some_and(|(name, _)| name.starts_with(&start))
        };
        (0..self.tensors.len()).take_while(holds).count()
    }

    /// The values of a tensor as f32, row by row.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if there is no such tensor or it can not be read.
    pub fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, BackendError> {
        self.decode(name, to_f32)
    }

    /// The values of a tensor as f64, row by row.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if there is no such tensor or it can not be read.
    pub fn read_f64(&mut self, name: &str) -> Result<Vec<f64>, BackendError> {
        self.decode(name, to_f64)
    }

    /// What `decode` makes of the elements of a tensor, little endian, row by row.
    fn decode<T>(&mut self, name: &str, decode: impl FnOnce(Dtype, &[u8]) -> T) -> Result<T, BackendError> {
        let mut bytes = std::mem::take(&mut self.buffer);
        let decoded = self.raw(name, &mut bytes).map(|dtype| decode(dtype, &bytes));
        self.buffer = bytes;
        decoded
    }

    /// Makes `bytes` hold the elements of a tensor, little endian, row by row.
    fn raw(&mut self, name: &str, bytes: &mut Vec<u8>) -> Result<Dtype, BackendError> {
        let read = self.format.read(self.collection, &format!("{}{name}", self.prefix), bytes);
        read.map_err(|reason| self.wrong(name, reason))
    }

    fn wrong(&self, name: &str, reason: String) -> BackendError {
        BackendError::Tensor { file: self.name.clone(), name: name.to_owned(), reason }
    }
}
