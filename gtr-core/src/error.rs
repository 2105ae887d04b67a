//! Errors of schedules and plans.

use crate::{AxisName, Grid, GridError, OutOfRange, TooManyDiffusionSteps, Violation};

/// Error of a schedule, a plan or a plan document.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The grid or a token is invalid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A number is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A step has more diffusion steps than there are timesteps.
    #[error(transparent)]
    TooManyDiffusionSteps(#[from] TooManyDiffusionSteps),
    /// The schedule names an implementation that is not registered.
    #[error("unknown {axis} `{kind}`; expected one of {known}")]
    UnknownKind {
        /// The axis.
        axis: AxisName,
        /// The unknown name, cut to 80 characters.
        kind: String,
        /// The registered names, as text.
        known: String,
    },
    /// A parameter is missing, unknown, or has a wrong value.
    #[error("{axis} `{kind}`: {message}")]
    Parameter {
        /// The axis.
        axis: AxisName,
        /// Name of the implementation.
        kind: String,
        /// Description of the problem.
        message: String,
    },
    /// The grid cannot satisfy the schedule, and the axis must not adapt.
    #[error("{axis}: {message}")]
    DoesNotFit {
        /// The axis that does not fit.
        axis: AxisName,
        /// Description of the problem.
        message: String,
    },
    /// The subsets are not a partition of the grid.
    #[error("not a partition of the grid of {grid}: {message}")]
    Partition {
        /// The grid.
        grid: Grid,
        /// The token that is missing, repeated or not on the grid.
        message: String,
    },
    /// All tokens are known, so the plan would be empty.
    #[error("every token of the grid of {0} is known: nothing is left to generate")]
    NothingLeft(Grid),
    /// The field is invalid, or the loss cannot be computed on it.
    #[error("field: {0}")]
    Field(String),
    /// The goal of a design is invalid or cannot be reached.
    #[error("design: {0}")]
    Design(String),
    /// The plan has no order before it is sampled.
    #[error("the order of a ranked stage is decided while sampling, so it is not known from the plan")]
    Ranked,
    /// No preset has this name.
    #[error("unknown preset `{name}`; expected one of {known}")]
    UnknownPreset {
        /// The unknown name.
        name: String,
        /// The names of all presets, as text.
        known: String,
    },
    /// The document violates rules of the plan format.
    #[error("invalid plan: {}", summary(.0))]
    Unsound(Vec<Violation>),
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "no violation".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}
