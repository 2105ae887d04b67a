//! Planning: from a schedule to a plan.

use gtr_core::preset::{self, Preset};
use gtr_core::{Error, Grid, Order, Plan, Registry, Schedule, StageOrder, TokenSet, pace};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::Value;

use crate::arguments::{Wholes, grid, to_python};
use crate::errors::{Failure, PlanError, no_grid};
use crate::given::{GivenOrder, GivenPace};
use crate::plan::PyPlan;

/// Parses a grid in the syntax of the command line, such as `16x16`.
#[pyfunction]
fn parse_grid(text: &str) -> PyResult<(u32, u32)> {
    let grid: Grid = text.parse().map_err(|error| no_grid(&error))?;
    Ok((grid.height(), grid.width()))
}

/// A schedule as a dictionary, and the sides of its home grid, if it has one.
type Chosen<'py> = (Bound<'py, PyAny>, Option<(u32, u32)>);

/// Returns the schedule of a preset and its home grid.
#[pyfunction]
fn preset_schedule<'py>(py: Python<'py>, name: &str) -> PyResult<Chosen<'py>> {
    let preset = preset::find(name).map_err(Failure::from)?;
    Ok((to_python(py, &preset.schedule)?, Some((preset.home_grid.height(), preset.home_grid.width()))))
}

/// Parses a schedule from JSON. If the JSON is a preset, also returns its home grid.
#[pyfunction]
fn read_schedule<'py>(py: Python<'py>, text: &str) -> PyResult<Chosen<'py>> {
    let wrong = |error: serde_json::Error| PlanError::new_err(format!("invalid schedule: {error}"));
    let value: Value = serde_json::from_str(text).map_err(wrong)?;
    if value.get("schedule").is_some() {
        let preset: Preset = serde_json::from_str(text).map_err(wrong)?;
        let home = (preset.home_grid.height(), preset.home_grid.width());
        return Ok((to_python(py, &preset.schedule)?, Some(home)));
    }
    Ok((to_python(py, &schedule(text)?)?, None))
}

fn schedule(text: &str) -> PyResult<Schedule> {
    serde_json::from_str(text).map_err(|error| PlanError::new_err(format!("invalid schedule: {error}")))
}

/// Returns, for each of `stages` stages, the position in a list of `values` values from which it takes its value.
#[pyfunction]
fn per_stage(values: usize, stages: usize) -> PyResult<Vec<usize>> {
    if values == 0 || !(1..=64).contains(&stages) {
        return Err(PyValueError::new_err("a number of stages must be 1 to 64"));
    }
    Ok(pace::per_stage(&(0..values).collect::<Vec<_>>(), stages))
}

/// Result of a Python order: its stages, the order within them, and whether the last one is a reconstruction.
type Stages = (Vec<Wholes>, String, bool);

fn given_order((stages, within, reconstructs): Stages) -> PyResult<GivenOrder> {
    let within = match within.as_str() {
        "listed" => None,
        other => {
            let known: Result<StageOrder, _> = serde_json::from_value(Value::from(other));
            let wrong = |error| PyValueError::new_err(format!("`within` must be `listed` or another order: {error}"));
            Some(known.map_err(wrong)?)
        }
    };
    Ok(GivenOrder { stages: stages.into_iter().map(|Wholes(tokens)| tokens).collect(), within, reconstructs })
}

/// Returns the number of tokens of each stage without the known ones; omits empty stages.
#[pyfunction]
#[pyo3(signature = (schedule_json, sides, known, order=None))]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn stage_sizes(
    py: Python<'_>,
    schedule_json: &str,
    sides: (u32, u32),
    known: Wholes,
    order: Option<Stages>,
) -> PyResult<Vec<usize>> {
    let (schedule, grid) = (schedule(schedule_json)?, grid(sides)?);
    let known = TokenSet::from_tokens(grid, known.tokens(grid)?);
    let order = order.map(given_order).transpose()?;
    let counted = py.detach(|| {
        let partition = match order {
            Some(order) => order.partition(grid)?,
            None => Registry::builtin().build_order(&schedule.order)?.partition(grid)?,
        };
        let left = |stage: &Vec<_>| stage.iter().filter(|&&token| !known.contains(token)).count();
        Ok::<_, Error>(partition.subsets().iter().map(left).filter(|&tokens| tokens > 0).collect())
    });
    Ok(counted.map_err(Failure::from)?)
}

/// Plans a schedule. A precomputed Python order or pace replaces the one that the schedule names.
#[pyfunction]
#[pyo3(signature = (schedule_json, sides, known, order=None, pace=None))]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn make_plan(
    py: Python<'_>,
    schedule_json: &str,
    sides: (u32, u32),
    known: Wholes,
    order: Option<Stages>,
    pace: Option<Vec<Wholes>>,
) -> PyResult<PyPlan> {
    let (schedule, grid) = (schedule(schedule_json)?, grid(sides)?);
    let known = TokenSet::from_tokens(grid, known.tokens(grid)?);
    let order = order.map(given_order).transpose()?;
    let pace = pace.map(|stages| GivenPace { steps: stages.into_iter().map(|Wholes(counts)| counts).collect() });
    let planned = py.detach(|| plan(&schedule, &known, order.as_ref(), pace.as_ref()));
    let (plan, adaptations) = planned.map_err(Failure::from)?;
    Ok(PyPlan::new(plan, adaptations))
}

fn plan(
    schedule: &Schedule,
    known: &TokenSet,
    order: Option<&GivenOrder>,
    pace: Option<&GivenPace>,
) -> Result<(Plan, Vec<String>), Error> {
    let mut asked = schedule.clone();
    if let Some(order) = order {
        asked.order = order.clone().into();
    }
    if let Some(pace) = pace {
        asked.pace = pace.clone().into();
    }
    let registry = Registry::builtin().with_order::<GivenOrder>().with_pace::<GivenPace>();
    let planned = asked.plan_rest(known, &registry)?;
    if order.is_none() && pace.is_none() {
        return Ok((planned.plan, planned.adaptations));
    }
    let mut document = planned.plan.to_document();
    if order.is_some() {
        document.schedule.order = schedule.order.clone();
    }
    if pace.is_some() {
        document.schedule.pace = schedule.pace.clone();
    }
    // The order and the pace are the caller's own: that nothing here knows them is no news.
    Ok((Plan::from_document(&document, &Registry::builtin())?.plan, planned.adaptations))
}

/// Adds the functions of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parse_grid, module)?)?;
    module.add_function(wrap_pyfunction!(preset_schedule, module)?)?;
    module.add_function(wrap_pyfunction!(read_schedule, module)?)?;
    module.add_function(wrap_pyfunction!(per_stage, module)?)?;
    module.add_function(wrap_pyfunction!(stage_sizes, module)?)?;
    module.add_function(wrap_pyfunction!(make_plan, module)?)
}
