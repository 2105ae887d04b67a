//! The Rust half of the Python package `gtr`: plans, their rules and the noise of `gtr-core`, as Python objects and NumPy
//! arrays.
//!
//! The files only convert arguments, results and errors. The Python half in `python/gtr` is the documented public interface.

mod arguments;
mod catalogue;
mod cost;
mod errors;
mod given;
mod loss;
mod plan;
mod planning;
mod sampling;
mod verification;

use pyo3::prelude::*;

/// The module `gtr._gtr`.
#[pymodule]
fn _gtr(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::add(module)?;
    plan::add(module)?;
    planning::add(module)?;
    sampling::add(module)?;
    loss::add(module)?;
    catalogue::add(module)?;
    verification::add(module)
}
