//! The other inputs of a sampling loop: timesteps, noise, and the tokens that a detail rule picks.

use gtr_core::detail::Candidates;
use gtr_core::{
    AxisConfig, Capability, Detail, DiffusionSteps, Grid, ImageIndex, Noise, NoiseSource, Registry, Seed, Spectrum,
    Stream, StreamPurpose, Timestep, TimestepLimit, Timesteps, TokenIndex,
};
use numpy::{PyArray1, PyArray3, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments::{Whole, Wholes, token};
use crate::errors::{Failure, PlanError, out_of_range};

/// Returns the largest grid, so that noise can be addressed by tokens of any grid.
fn any_grid() -> PyResult<Grid> {
    Ok(Grid::new(4096, 4096).map_err(Failure::from)?)
}

/// Returns the timesteps of a number of diffusion steps, ascending.
#[pyfunction]
#[pyo3(signature = (steps, *, max_timestep=None, clip_timestep=None))]
fn timesteps(
    py: Python<'_>,
    steps: Whole,
    max_timestep: Option<Whole>,
    clip_timestep: Option<Whole>,
) -> PyResult<Bound<'_, PyArray1<i64>>> {
    let small = |Whole(number): Whole| u32::try_from(number).unwrap_or(u32::MAX);
    let timestep = |number: Whole| Timestep::new(small(number)).map_err(|error| out_of_range(&error));
    let limit = match (max_timestep, clip_timestep) {
        (Some(_), Some(_)) => {
            return Err(PyValueError::new_err("max_timestep and clip_timestep are mutually exclusive"));
        }
        (Some(max), None) => TimestepLimit::Max(timestep(max)?),
        (None, Some(clip)) => TimestepLimit::Clip(timestep(clip)?),
        (None, None) => TimestepLimit::NONE,
    };
    let steps = DiffusionSteps::new(small(steps)).map_err(|error| out_of_range(&error))?;
    Ok(array(py, &Timesteps::new(steps, limit).map_err(Failure::from)?))
}

/// Converts timesteps to an array.
pub(crate) fn array<'py>(py: Python<'py>, timesteps: &Timesteps) -> Bound<'py, PyArray1<i64>> {
    PyArray1::from_iter(py, timesteps.values().iter().map(|&timestep| i64::from(timestep)))
}

/// Largest number of values in one call.
const MOST_NUMBERS: usize = 1 << 31;

/// Number of values per thread; fewer values do not justify another thread.
const A_THREAD: usize = 1 << 16;

/// Returns standard normal values: `float32[draws, rows, channels]`. A row is one token of one image.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn normals(
    py: Python<'_>,
    seed: Whole,
    images: Wholes,
    tokens: Wholes,
    draws: (u32, u32),
    channels: usize,
) -> PyResult<Bound<'_, PyArray3<f32>>> {
    let grid = any_grid()?;
    if images.0.len() != tokens.0.len() {
        let (images, tokens) = (gtr_core::count(images.0.len(), "image"), gtr_core::count(tokens.0.len(), "token"));
        return Err(PyValueError::new_err(format!("images and tokens differ in length: {images}, {tokens}")));
    }
    let tokens = tokens.tokens(grid)?;
    let rows: Vec<_> = images.0.into_iter().map(ImageIndex).zip(tokens).collect();
    let (first, count) = (draws.0, draws.1.saturating_sub(draws.0) as usize);
    let width = rows.len().checked_mul(channels);
    let numbers = width.and_then(|width| width.checked_mul(count)).filter(|&numbers| numbers <= MOST_NUMBERS);
    let Some(numbers) = numbers else {
        return Err(PyValueError::new_err(format!("at most {MOST_NUMBERS} normal values can be drawn at once")));
    };
    let values = py.detach(|| fill(Noise::new(Seed(seed.0)), &rows, first, numbers, channels));
    PyArray1::from_vec(py, values).reshape([count, rows.len(), channels])
}

/// Draws the values of all rows, draw by draw, on one or more threads. The values depend only on their addresses.
fn fill(noise: Noise, rows: &[(ImageIndex, TokenIndex)], first: u32, numbers: usize, channels: usize) -> Vec<f32> {
    let mut values = vec![0.0; numbers];
    if numbers == 0 {
        return values;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (numbers / A_THREAD).clamp(1, cores);
    let share = (numbers / channels).div_ceil(threads);
    let fill_some = |chunk: &mut [f32], begin: usize| {
        for (place, out) in (begin..).zip(chunk.chunks_exact_mut(channels)) {
            let (image, token) = rows[place % rows.len()];
            let draw = u32::try_from(place / rows.len()).unwrap_or(u32::MAX);
            noise.fill_normal(image, token, first.saturating_add(draw), out);
        }
    };
    if threads == 1 {
        fill_some(&mut values, 0);
        return values;
    }
    std::thread::scope(|scope| {
        for (number, chunk) in values.chunks_mut(share * channels).enumerate() {
            scope.spawn(move || fill_some(chunk, number * share));
        }
    });
    values
}

/// Returns the FTS scores of conditioning vectors, one per row.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn fts_scores<'py>(py: Python<'py>, features: PyReadonlyArray2<'py, f32>) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let width = features.shape()[1];
    let values = features.as_slice()?;
    let scores: Vec<f64> = py.detach(|| {
        let mut spectrum = Spectrum::new(width);
        values.chunks_exact(width.max(1)).map(|vector| spectrum.score(vector)).collect()
    });
    Ok(PyArray1::from_vec(py, scores))
}

/// Returns the positions of the tokens that a detail rule picks from the tokens of one image in one step.
#[pyfunction]
#[pyo3(signature = (rule_json, tokens, features, seed, image, step, count=None))]
#[expect(clippy::too_many_arguments, reason = "the inputs of a detail rule")]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
fn pick<'py>(
    py: Python<'py>,
    rule_json: &str,
    tokens: Wholes,
    features: Option<PyReadonlyArray2<'py, f32>>,
    seed: Whole,
    image: Whole,
    step: Whole,
    count: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let config: AxisConfig =
        serde_json::from_str(rule_json).map_err(|error| PlanError::new_err(format!("invalid detail rule: {error}")))?;
    let rule = Registry::builtin().build_detail(&config).map_err(Failure::from)?;
    let rows = features.as_ref().map(|features| Ok::<_, PyErr>((features.as_slice()?, features.shape()[1])));
    let picked = picks(rule.as_ref(), &tokens, rows.transpose()?, (seed, image, step), count)?;
    Ok(PyArray1::from_iter(py, picked.into_iter().map(|position| i64::try_from(position).unwrap_or(i64::MAX))))
}

/// Applies a detail rule. Without `count`, the rule decides how many tokens it picks.
pub(crate) fn picks(
    rule: &dyn Detail,
    tokens: &Wholes,
    features: Option<(&[f32], usize)>,
    (Whole(seed), Whole(image), Whole(step)): (Whole, Whole, Whole),
    count: Option<usize>,
) -> PyResult<Vec<usize>> {
    let grid = any_grid()?;
    let tokens = tokens.0.iter().map(|&number| token(grid, number)).collect::<PyResult<Vec<_>>>()?;
    let Some(count) = count.or_else(|| rule.share(tokens.len()).map(|share| share.tokens)) else {
        return Ok(Vec::new());
    };
    if count > tokens.len() {
        let most = tokens.len();
        return Err(PyValueError::new_err(format!("cannot pick {count} of {most} tokens")));
    }
    let (features, width) = match (features, rule.requirements().contains(&Capability::HostFeatures)) {
        (_, false) => (&[][..], 0),
        (None, true) => return Err(PyValueError::new_err("this rule ranks conditioning vectors and needs features")),
        (Some((values, width)), true) if width * tokens.len() == values.len() => (values, width),
        (Some((values, width)), true) => {
            let (rows, tokens) = (values.len() / width.max(1), gtr_core::count(tokens.len(), "token"));
            let rows = gtr_core::count(rows, "row");
            return Err(PyValueError::new_err(format!("features have {rows} for {tokens}")));
        }
    };
    let stream = Stream::new(Seed(seed), StreamPurpose::Detail, ImageIndex(image), step);
    Ok(rule.pick(Candidates { tokens: &tokens, width, features, stream }, count))
}

/// Adds the functions of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(timesteps, module)?)?;
    module.add_function(wrap_pyfunction!(normals, module)?)?;
    module.add_function(wrap_pyfunction!(fts_scores, module)?)?;
    module.add_function(wrap_pyfunction!(pick, module)?)
}
