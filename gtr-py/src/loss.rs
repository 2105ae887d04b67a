//! The loss of a plan, and the search for schedules with the least loss.

use std::sync::Arc;

use gtr_core::design::{Goal, Problem, structured};
use gtr_core::loss::{self, Field, Measured};
use gtr_core::{ArSteps, Grid, Plan, Seed};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{Whole, grid, to_python};
use crate::errors::{Failure, out_of_range};

/// A field by name, or one covariance per class: `float64[classes, n, n]`.
#[derive(FromPyObject)]
pub(crate) enum FieldArgument<'py> {
    Named(String),
    Measured(PyReadonlyArray3<'py, f64>),
}

impl FieldArgument<'_> {
    /// Converts the argument to a field on a grid.
    pub(crate) fn field(&self, grid: Grid) -> PyResult<Field> {
        match self {
            Self::Named(text) => Ok(text.parse().map_err(Failure::from)?),
            Self::Measured(array) => {
                let side = array.shape()[1];
                if side % grid.tokens() != 0 || array.shape()[2] != side {
                    let (shape, tokens) = (array.shape(), grid.tokens());
                    return Err(PyValueError::new_err(format!(
                        "a covariance must be [classes, n, n], n a multiple of the {tokens} tokens, not {shape:?}"
                    )));
                }
                let classes = array.as_slice()?.chunks_exact((side * side).max(1)).map(<[f64]>::to_vec).collect();
                let field = Measured::new("covariance", grid, side / grid.tokens(), classes).map_err(Failure::from)?;
                Ok(Field::Measured(field))
            }
        }
    }
}

/// Returns the mean loss of a plan over the first images of a seed.
pub(crate) fn of_plan<'py>(
    py: Python<'py>,
    plan: &Plan,
    field: &FieldArgument<'_>,
    seed: Whole,
    images: Option<Whole>,
) -> PyResult<Bound<'py, PyDict>> {
    let field = Arc::new(field.field(plan.grid())?);
    let images = images.map_or_else(|| loss::default_images(plan.grid(), &field), |Whole(images)| images);
    let lost = py.detach(|| loss::mean_loss(plan, Seed(seed.0), images, &field)).map_err(Failure::from)?;
    let found = PyDict::new(py);
    found.set_item("total", lost.mean.total)?;
    found.set_item("standard_error", lost.standard_error)?;
    found.set_item("images", lost.images)?;
    found.set_item("steps", PyArray1::from_vec(py, lost.mean.steps))?;
    let sides = [plan.grid().height() as usize, plan.grid().width() as usize];
    found.set_item("tokens", PyArray1::from_vec(py, lost.mean.tokens).reshape(sides)?)?;
    Ok(found)
}

/// Returns the schedule with the least loss for a number of AR steps, or with the fewest steps for a loss.
#[pyfunction]
#[pyo3(signature = (sides, field, seed, images, steps=None, loss=None))]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn design<'py>(
    py: Python<'py>,
    sides: (u32, u32),
    field: FieldArgument<'py>,
    seed: Whole,
    images: Whole,
    steps: Option<Whole>,
    loss: Option<f64>,
) -> PyResult<Bound<'py, PyAny>> {
    let grid = grid(sides)?;
    let goal = match (steps, loss) {
        (Some(Whole(steps)), None) => {
            let steps = ArSteps::new(u32::try_from(steps).unwrap_or(u32::MAX));
            Goal::ArSteps(steps.map_err(|error| out_of_range(&error))?)
        }
        (None, Some(nats)) => Goal::Loss(nats),
        _ => return Err(PyValueError::new_err("a design needs a goal: give either steps or loss")),
    };
    let problem = Problem { seed: Seed(seed.0), images: images.0, ..Problem::new(grid, field.field(grid)?) };
    to_python(py, &py.detach(|| structured(&problem, goal)).map_err(Failure::from)?)
}

/// Adds the function of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(design, module)?)
}
