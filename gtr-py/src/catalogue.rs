//! The available presets and schedulers.

use gtr_core::{Registry, preset};
use pyo3::prelude::*;

use crate::arguments::to_python;

/// Returns all presets as dictionaries.
#[pyfunction]
fn presets(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    to_python(py, &preset::all())
}

/// Returns all built-in schedulers as dictionaries.
#[pyfunction]
fn schedulers(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    to_python(py, &Registry::builtin().describe())
}

/// Adds the functions of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(presets, module)?)?;
    module.add_function(wrap_pyfunction!(schedulers, module)?)
}
