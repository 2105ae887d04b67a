//! Everything that can be wrong with a schedule or a plan.

use crate::{AxisName, Grid, GridError, OutOfRange, TooManyDiffusionSteps, Violation};

/// Why a schedule makes no plan, or a document is none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such grid or token.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A number outside the range of its unit.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// More diffusion steps than timesteps.
    #[error(transparent)]
    TooManyDiffusionSteps(#[from] TooManyDiffusionSteps),
    /// The schedule names an implementation that is not registered.
    #[error("there is no {axis} called `{kind}`: choose one of {known}")]
    UnknownKind {
        /// The axis.
        axis: AxisName,
        /// The name that was asked for.
        kind: String,
        /// The registered names, in words.
        known: String,
    },
    /// A parameter is missing, unknown, or has a wrong value.
    #[error("{axis} `{kind}`: {message}")]
    Parameter {
        /// The axis.
        axis: AxisName,
        /// The implementation.
        kind: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The schedule asks for what this grid cannot give.
    #[error("{axis}: {message}")]
    DoesNotFit {
        /// The axis that cannot be met.
        axis: AxisName,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Subsets that do not make a partition.
    #[error("not a partition of the grid of {grid}: {message}")]
    Partition {
        /// The grid.
        grid: Grid,
        /// Which token is where it must not be.
        message: String,
    },
    /// A plan for the rest of an image of which nothing is left.
    #[error("every token of the grid of {0} is known: nothing is left to generate")]
    NothingLeft(Grid),
    /// A field that is none, or that a loss cannot be computed on.
    #[error("field: {0}")]
    Field(String),
    /// A design that cannot be made.
    #[error("design: {0}")]
    Design(String),
    /// There is no preset of this name.
    #[error("unknown preset `{name}`: expected one of {known}")]
    UnknownPreset {
        /// The name that was asked for.
        name: String,
        /// The presets, in words.
        known: String,
    },
    /// The document breaks rules of the plan format.
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
