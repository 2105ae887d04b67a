//! What can go wrong in a backend.

use std::path::PathBuf;

use gtr_core::Grid;

/// Why a model could not be loaded or run.
///
/// Every message says what was wrong and where; where something else would be right, it says that too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A file could not be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not a checkpoint, is cut short, or contradicts itself.
    #[error("{file}: {reason}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model needs a tensor that the checkpoint does not hold.
    #[error("{file}: it has no tensor `{name}`, which should be {expected:?}{}", suggestion(hint.as_deref(), closest.as_deref()))]
    MissingTensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// The shape that the model needs.
        expected: Vec<usize>,
        /// The most similar name among the tensors that the model has no use for.
        closest: Option<Box<str>>,
        /// Where it is instead, if that is known.
        hint: Option<Box<str>>,
    },
    /// A tensor has another shape than the model needs.
    #[error("{file}: tensor `{name}` is {found:?}, it should be {expected:?}")]
    TensorShape {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the model needs.
        expected: Vec<usize>,
    },
    /// The checkpoint holds tensors that the model has no place for.
    #[error(
        "{file}: it holds {count} {} that this model has no place for, first `{first}`: its config does not describe these weights",
        if *count == 1 { "tensor" } else { "tensors" }
    )]
    UnexpectedTensors {
        /// The checkpoint.
        file: String,
        /// How many there are.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// A weight is not a finite number, or none in the type that it is wanted in.
    #[error("{file}: tensor `{name}` holds {value} at element {index}: {}", unfit(*value))]
    NonFiniteWeight {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// The position of the weight, counted row by row.
        index: usize,
        /// The weight.
        value: f32,
    },
    /// A checkpoint is of another kind of model.
    #[error("{file}: it holds {found}, not {expected}")]
    OtherKind {
        /// The checkpoint.
        file: String,
        /// What it holds.
        found: &'static str,
        /// What was wanted.
        expected: &'static str,
    },
    /// A checkpoint is of a model of another size than was asked for.
    #[error(
        "{file}: it has {} {part} blocks of width {}, {model} has {} of width {}{}",
        found.blocks, found.width, expected.blocks, expected.width,
        name.map_or_else(String::new, |name| format!(": it is a checkpoint of {name}"))
    )]
    OtherSize {
        /// The checkpoint.
        file: String,
        /// The model that was asked for.
        model: String,
        /// The stack that differs.
        part: &'static str,
        /// Its blocks in the checkpoint.
        found: StackSize,
        /// Its blocks in the model.
        expected: StackSize,
        /// The model that has these.
        name: Option<&'static str>,
    },
    /// A tensor is there but can not be read.
    #[error("{file}: tensor `{name}` cannot be read: {reason}")]
    Tensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Why.
        reason: String,
    },
    /// The configuration of a model is not readable or not possible.
    #[error("{model}: {reason}")]
    Config {
        /// The model, or the file that describes it.
        model: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// There is no such model.
    #[error("there is no model `{name}`: it is neither built in ({}) nor a path that exists", known.join(", "))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The models that are built in.
        known: Vec<&'static str>,
    },
    /// The files of a model that is known by name lie in the repository, and it is not here.
    #[error("the files of `{name}` are not part of the program: there is no {folder}/config.json in {} or a folder above; run \
             it in a clone of the repository, or name the folder", looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or "))]
    NotHere {
        /// What was asked for.
        name: &'static str,
        /// Where the files are in the repository.
        folder: &'static str,
        /// From where they were looked for, upwards.
        looked: Vec<PathBuf>,
    },
    /// There is no such device, or it can not be used.
    #[error("there is no device `{name}`: {reason}")]
    Device {
        /// What was asked for.
        name: String,
        /// Why it can not be had.
        reason: String,
    },
    /// A recording is not what its name says, or contradicts itself.
    #[error("{file}: {reason}")]
    Recording {
        /// The recording.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A picture cannot be read, or does not fit.
    #[error("{file}: {reason}")]
    Image {
        /// The file.
        file: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A file is no field, or its numbers are no covariance.
    #[error("{file}: it cannot be read as a field: {reason}")]
    Field {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A class that the model does not have.
    #[error("class {class} is outside the model: it has classes 0 to {}", classes.saturating_sub(1))]
    Class {
        /// What was asked for.
        class: u32,
        /// How many classes the model has.
        classes: usize,
    },
    /// No class has this name.
    #[error("no class is called `{name}`{}", close_names(close))]
    ClassName {
        /// What was asked for.
        name: String,
        /// The names that are close, best first; none where the model's classes have no names.
        close: Vec<String>,
    },
    /// A model is known by name, but by the name of another family than the one that is asked.
    #[error("`{model}` is not a model of this family")]
    OtherFamily {
        /// What was asked for.
        model: String,
    },
    /// A model is known by name, and its weights are not part of the program.
    #[error("the weights of {model} are not part of the program: give its checkpoint")]
    WithoutWeights {
        /// The model.
        model: String,
    },
    /// Weights are asked for twice.
    #[error("weights are either random or those of {}, not both", path.display())]
    TwoWeights {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A section is asked for of weights that have none.
    #[error("there is no section `{section}` to choose: the weights of {model} are part of the program")]
    NoSections {
        /// The model.
        model: String,
        /// What was asked for.
        section: String,
    },
    /// An autoencoder is given to a model that has no use for it.
    #[error("the tokens of `{model}` are pixels: it takes no autoencoder, so leave out {}", vae.display())]
    UselessAutoencoder {
        /// The model.
        model: String,
        /// The autoencoder.
        vae: PathBuf,
    },
    /// Pictures are asked of a model of latents that has no decoder.
    #[error("the tokens of {model} are latents, which need a decoder to be pictures")]
    NoDecoder {
        /// The model.
        model: String,
    },
    /// Pictures are to be encoded for a model of latents without an autoencoder.
    #[error("{model} generates latents: give the autoencoder that encodes pictures")]
    NoEncoder {
        /// The model.
        model: String,
    },
    /// A model takes prompts of another kind.
    #[error("{model} makes images of {takes}, not of {found}")]
    PromptKind {
        /// The model.
        model: String,
        /// What it makes images of.
        takes: &'static str,
        /// What it was asked for.
        found: &'static str,
    },
    /// A prompt cannot be encoded.
    #[error("{0}")]
    Prompt(String),
    /// A prompt or a canvas of another model.
    #[error(transparent)]
    Foreign(#[from] gtr_core::erased::Foreign),
    /// A model is made for one grid.
    #[error("{model} generates on a grid of {own}, not of {asked}")]
    OneGrid {
        /// The model.
        model: String,
        /// Its grid.
        own: Grid,
        /// The grid that was asked for.
        asked: Grid,
    },
    /// A model is made for pictures of one size.
    #[error("`{model}` has one size, that of the grid which its positions are learned for")]
    OneSize {
        /// The model.
        model: String,
    },
    /// A grid has more tokens than the model takes.
    #[error("a grid of {grid} is too large, at most {most} tokens are")]
    GridTooLarge {
        /// The grid.
        grid: Grid,
        /// Tokens of the largest grid.
        most: usize,
    },
    /// Pictures of this size are not made of whole tokens.
    #[error("{height}x{width} pixels are not whole tokens: both sides must be multiples of {side}")]
    PartTokens {
        /// Rows of pixels.
        height: u32,
        /// Columns of pixels.
        width: u32,
        /// Pixels on a side of a token.
        side: u32,
    },
    /// A grid that there is not.
    #[error(transparent)]
    Grid(#[from] gtr_core::GridError),
    /// A token lies outside the grid of the model.
    #[error("token {token} is not on the model's grid of {grid}")]
    OffGrid {
        /// The token.
        token: u32,
        /// The grid.
        grid: Grid,
    },
    /// There is no such type of numbers.
    #[error("there is no type `{name}`: it is none of f32, bf16 and f16")]
    UnknownPrecision {
        /// What was asked for.
        name: String,
    },
    /// A number lies outside its range.
    #[error(transparent)]
    OutOfRange(#[from] gtr_core::OutOfRange),
    /// A run cannot be traced.
    #[error("{0}")]
    Untraceable(String),
    /// A file would replace the file that it is made from.
    #[error("{} cannot be replaced while it is read", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// Weights are not converted to this type.
    #[error("weights are converted to f32, f16 or bf16, not to {dtype}")]
    WeightType {
        /// What was asked for, in words.
        dtype: String,
    },
    /// There is no recording at a path.
    #[error("{0}")]
    NoRecording(String),
    /// Calls on a generator do not fit each other, as when a token is written twice.
    #[error("{0}")]
    Request(String),
    /// The tensor library failed.
    #[error("{context}")]
    Compute {
        /// What was being computed.
        context: &'static str,
        /// What the library says.
        source: candle_core::Error,
    },
}

/// Blocks of a stack, and their width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSize {
    /// Blocks.
    pub blocks: usize,
    /// Their width.
    pub width: usize,
}

fn suggestion(hint: Option<&str>, closest: Option<&str>) -> String {
    match (hint, closest) {
        (Some(hint), _) => format!("; {hint}"),
        (None, Some(name)) => format!("; the closest name it has is `{name}`"),
        (None, None) => String::new(),
    }
}

/// What is to be said of a weight that can not be used.
fn unfit(value: f32) -> &'static str {
    if value.is_finite() {
        "the type that is wanted does not reach so far; f32 and bf16 do"
    } else {
        "weights must be finite numbers"
    }
}

fn close_names(close: &[String]) -> String {
    if close.is_empty() { String::new() } else { format!("; close are `{}`", close.join("`, `")) }
}

/// Names what was being computed when the tensor library failed.
pub(crate) trait Context<T> {
    fn context(self, context: &'static str) -> Result<T, BackendError>;
}

impl<T> Context<T> for candle_core::Result<T> {
    fn context(self, context: &'static str) -> Result<T, BackendError> {
        self.map_err(|source| BackendError::Compute { context, source })
    }
}
