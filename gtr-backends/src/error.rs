//! What can go wrong in a backend.

use std::path::PathBuf;

/// Why a model could not be loaded or run.
///
/// Every message says what was wrong and where; where something else would be right, it says that too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not a checkpoint, is cut short, or contradicts itself.
    #[error("{file} is not a checkpoint that can be read: {reason}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model needs a tensor that the checkpoint does not hold.
    #[error("{file} has no tensor `{name}`, which should be {expected:?}{}", suggestion(closest.as_deref()))]
    MissingTensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// The shape that the model needs.
        expected: Vec<usize>,
        /// The most similar name among the tensors that the model has no use for.
        closest: Option<String>,
    },
    /// A tensor has another shape than the model needs.
    #[error("tensor `{name}` of {file} is {found:?}, it should be {expected:?}")]
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
        "{file} holds {count} {} that this model has no place for, first `{first}`: its config does not describe these weights",
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
    /// A weight is not a finite number.
    #[error("tensor `{name}` of {file} holds {value} at element {index}: weights must be finite numbers")]
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
    #[error("{file} holds {found}, not {expected}")]
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
        "{file} has {} {part} blocks of width {}, {model} has {} of width {}{}",
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
    #[error("tensor `{name}` of {file} cannot be read: {reason}")]
    Tensor {
        /// The checkpoint.
        file: String,
        /// The tensor.
        name: String,
        /// Why.
        reason: String,
    },
    /// The configuration of a model is not readable or not possible.
    #[error("config of the model {model}: {reason}")]
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
    /// A file is no field, or its numbers are no covariance.
    #[error("{file} is no field that can be read: {reason}")]
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
        close: Vec<&'static str>,
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

fn suggestion(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |name| format!("; the closest name it has is `{name}`"))
}

fn close_names(close: &[&str]) -> String {
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
