//! The available presets and schedulers.

use gtr_core::{AxisName, Registry, preset};
use pyo3::prelude::*;
use pyo3::types::PyDict;

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

/// Returns all axes: from the name to the kind of a schedule that does not set the axis, or `None` if it must set it.
#[pyfunction]
fn axes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let axes = PyDict::new(py);
    AxisName::ALL.into_iter().try_for_each(|axis| axes.set_item(axis.as_str(), axis.default_kind()))?;
    Ok(axes)
}

/// Adds the functions of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(axes, module)?)?;
    module.add_function(wrap_pyfunction!(presets, module)?)?;
    module.add_function(wrap_pyfunction!(schedulers, module)?)
}
