//! Checkpoints: named tensors in a file, of which nothing is trusted.
//!
//! Two formats are read: safetensors, and the zip archives of `torch.save`. Tensors are read one at a time, so that a
//! checkpoint never lies in memory as a whole, and every length that a file states is compared with what the file holds
//! before memory is reserved for it.

mod convert;
pub(crate) mod header;
mod kind;
mod packed;
mod parts;
mod pickle;
mod pth;
mod random;
mod safetensors;
mod source;
mod weights;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use self::convert::{ConvertOptions, Converted, convert};
pub use self::kind::Kind;
pub use self::source::Source;
pub use self::weights::{Layout, Weights};
use crate::BackendError;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// 16-bit floating point.
    F16,
    /// 16-bit floating point with the range of `F32`.
    Bf16,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit integer.
    I64,
    /// 8-bit unsigned integer.
    U8,
}

impl Dtype {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::U8 => "u8",
        })
    }
}

/// What a checkpoint says of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape.
    pub shape: Vec<usize>,
    /// The type of its elements; `None` for a tensor that can not be read (another type, or built by unknown code).
    pub dtype: Option<Dtype>,
}

/// Which part of a checkpoint the tensors come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `model_ema`: the averaged weights, those to sample with.
    ModelEma,
    /// `model`: the raw weights; the checkpoint has no averaged ones.
    Model,
    /// `model`, asked for by [`Checkpoint::open_raw`]: the raw weights, with which some models are sampled as published.
    ModelAsPublished,
    /// The file is a plain collection of tensors.
    Whole,
    /// No file: weights from a seed, which generate nothing that could be recognised.
    Random,
}

impl Section {
    /// What it is called in a file, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModelEma => "model_ema",
            Self::Model | Self::ModelAsPublished => "model",
            Self::Whole => "whole",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ModelEma => "model_ema (averaged weights)",
            Self::Model => "model (raw weights: the checkpoint has no averaged ones)",
            Self::ModelAsPublished => "model (raw weights, as published)",
            Self::Whole => "the whole file",
            Self::Random => "random weights",
        })
    }
}

/// How files of `torch.save` began before it wrote zip archives: a pickled number.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46";

enum Format {
    Safetensors(safetensors::File),
    Pth(Box<pth::File>),
    Parts(parts::Parts),
    Random(u64),
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
    tensors: BTreeMap<String, TensorInfo>,
    section: Section,
    format: Format,
    /// The bytes of the tensor read last: reading one after the other then leaves no holes in memory.
    buffer: Vec<u8>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("name", &self.name).field("section", &self.section).finish_non_exhaustive()
    }
}

impl Checkpoint {
    fn new(name: String, tensors: BTreeMap<String, TensorInfo>, section: Section, format: Format) -> Self {
        Self { name, tensors, section, format, buffer: Vec::new() }
    }

    /// Opens a file; the format is recognised by its content. From an archive of `torch.save` the averaged weights
    /// (`model_ema`) are taken if it has them, else those under `model`, else the file is the collection itself;
    /// [`Checkpoint::section`] tells which.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file can not be read, [`BackendError::Checkpoint`] if it is not a checkpoint.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        Self::open_section(path, None)
    }

    /// Opens a file and takes the tensors of one section of it.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and [`BackendError::Checkpoint`] if the file has no such section.
    pub fn open_section(path: &Path, section: Option<Section>) -> Result<Self, BackendError> {
        Self::from_source(path.display().to_string(), Source::open(path)?, section)
    }

    /// Opens a file and takes the raw weights (`model`) even if it has averaged ones beside them; if it has no raw ones, as
    /// [`Checkpoint::open`].
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_raw(path: &Path) -> Result<Self, BackendError> {
        Self::open_section(path, Some(Section::ModelAsPublished))
    }

    /// Opens the files that an index names, `model.safetensors.index.json` of Hugging Face, as one.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and [`BackendError::Checkpoint`] if the index is not one, names files elsewhere, or names
    /// tensors that are not where it says.
    pub fn open_parts(index: &Path) -> Result<Self, BackendError> {
        let (parts, tensors) = parts::Parts::open(index)?;
        let name = index.display().to_string();
        Ok(Self::new(name, tensors, Section::Whole, Format::Parts(parts)))
    }

    /// A checkpoint with the tensors of `layout`, whose values come from a seed when they are read.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::checkpoint::{Checkpoint, Layout, Section};
    /// let mut layout = Layout::default();
    /// layout.add("fc1.weight", &[4, 3]);
    /// let mut checkpoint = Checkpoint::random("try", &layout, 7);
    /// assert_eq!(checkpoint.section(), Section::Random);
    /// assert_eq!(checkpoint.read_f32("fc1.weight")?.len(), 12);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn random(name: &str, layout: &Layout, seed: u64) -> Self {
        let info = |shape: &[usize]| TensorInfo { shape: shape.to_vec(), dtype: Some(Dtype::F32) };
        let tensors = layout.tensors().map(|(name, shape)| (name.to_owned(), info(shape))).collect();
        Self::new(format!("{name} (random)"), tensors, Section::Random, Format::Random(seed))
    }

    /// A checkpoint that is part of the program.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if it is not one.
    pub fn from_bytes(name: &str, bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Result<Self, BackendError> {
        Self::from_source(name.to_owned(), Source::from(bytes.into()), None)
    }

    fn from_source(name: String, mut source: Source, section: Option<Section>) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Checkpoint { file: name.clone(), reason };
        let start = source.start().map_err(|error| wrong(error.to_string()))?;
        if start.starts_with(b"PK\x03\x04") {
            let (file, section) = pth::File::open(source, section).map_err(wrong)?;
            return Ok(Self::new(name, file.infos(), section, Format::Pth(Box::new(file))));
        }
        if start.starts_with(LEGACY) {
            return Err(wrong("it is in the format of torch.save before 1.6; save it again with a newer one".into()));
        }
        if section.is_some_and(|section| !matches!(section, Section::Whole | Section::ModelAsPublished)) {
            return Err(wrong("a safetensors file has no sections".into()));
        }
        let file = safetensors::File::open(source).map_err(wrong)?;
        Ok(Self::new(name, file.infos(), Section::Whole, Format::Safetensors(file)))
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where in the file the tensors come from.
    pub fn section(&self) -> Section {
        self.section
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// The texts that a safetensors file holds beside its tensors; a `torch.save` archive has none.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        match &self.format {
            Format::Safetensors(file) => file.texts(),
            Format::Pth(_) | Format::Parts(_) | Format::Random(_) => BTreeMap::new(),
        }
    }

    /// What is known of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
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
        #[expect(clippy::cast_precision_loss, reason = "what is asked for")]
        self.decode(name, |dtype, bytes| match dtype {
            Dtype::F16 => elements(bytes, |b| half::f16::from_le_bytes(b).to_f64()),
            Dtype::Bf16 => elements(bytes, |b| half::bf16::from_le_bytes(b).to_f64()),
            Dtype::F32 => elements(bytes, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F64 => elements(bytes, f64::from_le_bytes),
            Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f64),
            Dtype::U8 => elements(bytes, |[b]| f64::from(b)),
        })
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
        let read = match &mut self.format {
            Format::Safetensors(file) => file.read(name, bytes),
            Format::Pth(file) => file.read(name, bytes),
            Format::Parts(parts) => match parts.file(name) {
                Some(file) => return file.raw(name, bytes),
                None => Err("there is no such tensor".to_owned()),
            },
            Format::Random(seed) => match self.tensors.get(name) {
                Some(info) => {
                    bytes.clear();
                    bytes.extend(random::values(*seed, name, &info.shape).flat_map(f32::to_le_bytes));
                    Ok(Dtype::F32)
                }
                None => Err("there is no such tensor".to_owned()),
            },
        };
        read.map_err(|reason| self.wrong(name, reason))
    }

    fn wrong(&self, name: &str, reason: String) -> BackendError {
        BackendError::Tensor { file: self.name.clone(), name: name.to_owned(), reason }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "what is asked for")]
fn to_f32(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F16 => elements(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::Bf16 => elements(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        Dtype::F32 => elements(bytes, f32::from_le_bytes),
        Dtype::F64 => elements(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::U8 => elements(bytes, |[b]| f32::from(b)),
    }
}

fn elements<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}
