//! Errors of this crate.

use std::path::PathBuf;

use gtr_core::Grid;

/// Error of loading or running a model.
///
/// Every message states what is wrong and where, and what is expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A file could not be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A file is not a checkpoint, is truncated, or is inconsistent.
    #[error("{file}: {reason}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The checkpoint has no tensor of this name.
    #[error("{file}: it has no tensor `{name}` (shape {expected:?}){}", suggestion(hint.as_deref(), closest.as_deref()))]
    MissingTensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Expected shape.
        expected: Vec<usize>,
        /// Most similar name among the tensors that the model does not use.
        closest: Option<Box<str>>,
        /// Where the tensor is instead, if known.
        hint: Option<Box<str>>,
    },
    /// A tensor has the wrong shape.
    #[error("{file}: tensor `{name}` has the shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Shape in the checkpoint.
        found: Vec<usize>,
        /// Expected shape.
        expected: Vec<usize>,
    },
    /// The checkpoint has tensors that the model does not use.
    #[error(
        "{file}: it has {} that the model does not use, first `{first}`: the configuration does not match these weights",
        gtr_core::count(*count, "tensor")
    )]
    UnexpectedTensors {
        /// The checkpoint.
        file: String,
        /// Number of unused tensors.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// A weight is not finite, or overflows in the requested type.
    #[error("{file}: tensor `{name}` has the value {value} at element {index}: {}", unfit(*value))]
    NonFiniteWeight {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Row-major index of the weight.
        index: usize,
        /// Value of the weight.
        value: f32,
    },
    /// A checkpoint is of the wrong kind.
    #[error("{file}: expected {expected}, found {found}")]
    OtherKind {
        /// The checkpoint.
        file: String,
        /// Kind of the checkpoint.
        found: &'static str,
        /// Expected kind.
        expected: &'static str,
    },
    /// A checkpoint is of a model of another size.
    #[error(
        "{file}: it has {} of width {}, {model} has {} of width {}{}",
        gtr_core::count(found.blocks, &format!("{part} block")), found.width, expected.blocks, expected.width,
        name.map_or_else(String::new, |name| format!(": it is a checkpoint of {name}"))
    )]
    OtherSize {
        /// The checkpoint.
        file: String,
        /// The requested model.
        model: String,
        /// The stack of blocks that differs.
        part: &'static str,
        /// Size in the checkpoint.
        found: StackSize,
        /// Size in the model.
        expected: StackSize,
        /// Published model of the size in the checkpoint, if any.
        name: Option<&'static str>,
    },
    /// A tensor cannot be read.
    #[error("{file}: tensor `{name}` cannot be read: {reason}")]
    Tensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// The configuration of a model cannot be read or is not valid.
    #[error("{model}: {reason}")]
    Config {
        /// The model, or its configuration file.
        model: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// No model has this name.
    #[error("there is no model `{name}`: expected {} or an existing path", known.join(", "))]
    UnknownModel {
        /// The requested name.
        name: String,
        /// Names of the known models.
        known: Vec<&'static str>,
    },
    /// The files of a model are in the repository, and no clone of it was found.
    #[error("the files of `{name}` are not part of the program: there is no {folder}/config.json in {} or a folder above; run \
             the program in a clone of the repository, or give the path of the folder", looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or "))]
    NotHere {
        /// The requested model.
        name: &'static str,
        /// Folder of the files in the repository.
        folder: &'static str,
        /// Folders that were searched, with all folders above them.
        looked: Vec<PathBuf>,
    },
    /// A device does not exist or cannot be used.
    #[error("device `{name}` is not available: {reason}")]
    Device {
        /// The requested device.
        name: String,
        /// Why it is not available.
        reason: String,
    },
    /// A device has an unknown name.
    #[error("expected cpu, cuda:N or auto, found `{name}`")]
    UnknownDevice {
        /// The requested device.
        name: String,
    },
    /// A recording is inconsistent, or not of the kind that its name states.
    #[error("{file}: {reason}")]
    Recording {
        /// The recording.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// An image cannot be read, or does not fit the model.
    #[error("{file}: {reason}")]
    Image {
        /// The file.
        file: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A file is not a field, or its values are not a covariance.
    #[error("{file}: it cannot be read as a field: {reason}")]
    Field {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The model does not have this class.
    #[error("class {class} is out of range: the model has classes 0 to {}", classes.saturating_sub(1))]
    Class {
        /// The requested class.
        class: u32,
        /// Number of classes of the model.
        classes: usize,
    },
    /// No class of the model has this name.
    #[error("no class has the name `{name}`{}", close_names(close))]
    ClassName {
        /// The requested name.
        name: String,
        /// Similar names, most similar first; empty if the classes have no names.
        close: Vec<String>,
    },
    /// A name belongs to a model of another family.
    #[error("`{model}` is a model of another family")]
    OtherFamily {
        /// The requested model.
        model: String,
    },
    /// The weights of a published model are not part of the program.
    #[error("the weights of {model} are not part of the program: give its checkpoint with --weights")]
    WithoutWeights {
        /// The model.
        model: String,
    },
    /// The threads of the CPU cannot be started.
    #[error("cannot use {}: {reason}", gtr_core::count(*threads, "thread"))]
    Threads {
        /// Requested number of threads.
        threads: usize,
        /// Reason given by the thread pool.
        reason: String,
    },
    /// Both random weights and a checkpoint are requested.
    #[error("expected random weights or the checkpoint {}, not both", path.display())]
    TwoWeights {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A section is requested, but the weights have no sections.
    #[error("there is no section `{section}`: the weights of {model} are built in and have no sections")]
    NoSections {
        /// The model.
        model: String,
        /// The requested section.
        section: String,
    },
    /// An autoencoder is given to a model that does not use one.
    #[error("the tokens of `{model}` are pixels and need no autoencoder: leave out {}", vae.display())]
    UselessAutoencoder {
        /// The model.
        model: String,
        /// The autoencoder.
        vae: PathBuf,
    },
    /// A model of latents has no autoencoder to decode them.
    #[error("the tokens of {model} are latents: decoding them needs an autoencoder")]
    NoDecoder {
        /// The model.
        model: String,
    },
    /// A model of latents has no autoencoder to encode images.
    #[error("{model} generates latents: give the autoencoder that encodes images")]
    NoEncoder {
        /// The model.
        model: String,
    },
    /// A prompt is of the wrong kind.
    #[error("{model} takes {takes} as prompts, not {found}")]
    PromptKind {
        /// The model.
        model: String,
        /// Kind of prompts that the model takes.
        takes: &'static str,
        /// Kind of the given prompt.
        found: &'static str,
    },
    /// A prompt cannot be encoded.
    #[error("{0}")]
    Prompt(String),
    /// A prompt or a canvas belongs to another model.
    #[error(transparent)]
    Foreign(#[from] gtr_core::erased::Foreign),
    /// A model has one fixed grid.
    #[error("{model} generates on a grid of {own} only, not of {asked}")]
    OneGrid {
        /// The model.
        model: String,
        /// Grid of the model.
        own: Grid,
        /// The requested grid.
        asked: Grid,
    },
    /// A model generates images of one size.
    #[error("`{model}` generates images of one size, because its positions are learned for one grid")]
    OneSize {
        /// The model.
        model: String,
    },
    /// A grid has too many tokens for the model.
    #[error("a grid of {grid} is too large: expected at most {most} tokens")]
    GridTooLarge {
        /// The grid.
        grid: Grid,
        /// Largest number of tokens.
        most: usize,
    },
    /// The size of an image is not a whole number of tokens.
    #[error("{height}x{width} pixels are not a whole number of tokens: both sides must be multiples of {side}")]
    PartTokens {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
        /// Side of a token in pixels.
        side: u32,
    },
    /// A grid is not valid.
    #[error(transparent)]
    Grid(#[from] gtr_core::GridError),
    /// A token is outside the grid of the model.
    #[error("token {token} is not on the model's grid of {grid}")]
    OffGrid {
        /// The token.
        token: u32,
        /// The grid.
        grid: Grid,
    },
    /// A precision has an unknown name.
    #[error("expected f32, bf16 or f16, found `{name}`")]
    UnknownPrecision {
        /// The requested precision.
        name: String,
    },
    /// A number is out of range.
    #[error(transparent)]
    OutOfRange(#[from] gtr_core::OutOfRange),
    /// A run cannot be traced.
    #[error("{0}")]
    Untraceable(String),
    /// Input and output are the same file.
    #[error("{} is both input and output: choose another output", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// Weights cannot be converted to this type.
    #[error("expected f32, f16 or bf16 as the type of weights, found {dtype}")]
    WeightType {
        /// Name of the requested type.
        dtype: String,
    },
    /// A path has no recording.
    #[error("{0}")]
    NoRecording(String),
    /// Invalid call of a generator, for example a token that is written twice.
    #[error("{0}")]
    Request(String),
    /// The tensor library failed.
    #[error("{context}")]
    Compute {
        /// The operation that failed.
        context: &'static str,
        /// Error of the library.
        source: candle_core::Error,
    },
}

/// Size of a stack of transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSize {
    /// Number of blocks.
    pub blocks: usize,
    /// Width of the blocks.
    pub width: usize,
}

fn suggestion(hint: Option<&str>, closest: Option<&str>) -> String {
    match (hint, closest) {
        (Some(hint), _) => format!("; {hint}"),
        (None, Some(name)) => format!("; the most similar name in the file is `{name}`"),
        (None, None) => String::new(),
    }
}

/// Returns the reason why a weight cannot be used.
fn unfit(value: f32) -> &'static str {
    if value.is_finite() { "it overflows in the requested type; use f32 or bf16" } else { "weights must be finite" }
}

fn close_names(close: &[String]) -> String {
    if close.is_empty() { String::new() } else { format!("; similar names: `{}`", close.join("`, `")) }
}

/// Adds the operation that failed to an error of the tensor library.
pub(crate) trait Context<T> {
    fn context(self, context: &'static str) -> Result<T, BackendError>;
}

impl<T> Context<T> for candle_core::Result<T> {
    fn context(self, context: &'static str) -> Result<T, BackendError> {
        self.map_err(|source| BackendError::Compute { context, source })
    }
}
