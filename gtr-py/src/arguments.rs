//! Conversion of Python arguments, with range checks.

use gtr_core::{Grid, TokenIndex};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::no_grid;

/// An unsigned 64-bit integer: a seed or the number of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for Whole {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract::<u64>().map(Self).map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(object.py()) {
                let found = object.str().map_or_else(|_| "another".to_owned(), |text| text.to_string());
                PyValueError::new_err(format!("an integer must be 0 to {}, not {found}", u64::MAX))
            } else {
                error
            }
        })
    }
}

/// Converts unchecked sides to a grid.
pub(crate) fn grid((height, width): (u32, u32)) -> PyResult<Grid> {
    Grid::new(height, width).map_err(|error| no_grid(&error))
}

/// Unsigned 64-bit integers from any Python iterable: a list, a range, an array.
#[derive(Clone, Debug)]
pub(crate) struct Wholes(pub(crate) Vec<u64>);

impl<'py> FromPyObject<'_, 'py> for Wholes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let numbers = object.try_iter()?.map(|item| item?.extract::<Whole>().map(|Whole(number)| number));
        numbers.collect::<PyResult<_>>().map(Self)
    }
}

impl Wholes {
    /// Converts the integers to tokens of a grid.
    pub(crate) fn tokens(&self, grid: Grid) -> PyResult<Vec<TokenIndex>> {
        self.0.iter().map(|&number| token(grid, number)).collect()
    }
}

/// Returns the token with index `number`, or a `ValueError` if it is not on the grid.
pub(crate) fn token(grid: Grid, number: u64) -> PyResult<TokenIndex> {
    grid.token(usize::try_from(number).unwrap_or(usize::MAX)).map_err(|error| no_grid(&error))
}

/// Converts a value to Python objects by way of JSON: dictionaries, lists, strings, numbers.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    py.import("json")?.call_method1("loads", (text,))
}
