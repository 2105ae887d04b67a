//! What can go wrong in a backend.

use std::path::PathBuf;

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
        found: crate::checkpoint::Kind,
        /// What was wanted.
        expected: crate::checkpoint::Kind,
    },
    /// A checkpoint is of a model of another size than was asked for.
    #[error(
        "{file}: it has {} {part} blocks of width {}, {model} has {} of width {}{}",
        found.0, found.1, expected.0, expected.1,
        name.map_or_else(String::new, |name| format!(": it is a checkpoint of {name}"))
    )]
    OtherSize {
        /// The checkpoint.
        file: String,
        /// The model that was asked for.
        model: String,
        /// The stack that differs.
        part: &'static str,
        /// Its blocks and their width in the checkpoint.
        found: (usize, usize),
        /// Its blocks and their width in the model.
        expected: (usize, usize),
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
