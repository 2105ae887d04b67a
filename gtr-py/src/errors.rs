//! Errors of `gtr-core` as Python exceptions, with the same messages.

use gtr_core::{Error, GridError, OutOfRange};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    gtr,
    PlanError,
    PyValueError,
    "The schedule cannot be planned, or the document is not a valid plan. The message says what is expected."
);

/// An error of `gtr-core`.
#[derive(Debug)]
pub(crate) struct Failure(Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Failure> for PyErr {
    fn from(Failure(error): Failure) -> Self {
        match error {
            Error::OutOfRange(_) | Error::Grid(_) | Error::TooManyDiffusionSteps(_) => {
                PyValueError::new_err(error.to_string())
            }
            _ => PlanError::new_err(error.to_string()),
        }
    }
}

/// A number outside the range of its unit.
pub(crate) fn out_of_range(error: &OutOfRange) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// An impossible grid, or a token that is not on the grid.
pub(crate) fn no_grid(error: &GridError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Adds the exceptions of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("PlanError", module.py().get_type::<PlanError>())
}
