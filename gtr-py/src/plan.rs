//! A plan as a Python object.

use gtr_core::{
    AxisName, Capability, Detail, Guidance, GuidanceSchedule, ImageIndex, Plan, PlanDocument, Registry, Seed, Step,
    Timesteps, TokenIndex,
};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::arguments::{Whole, Wholes, to_python};
use crate::errors::{Failure, PlanError, out_of_range};
use crate::loss::{self, FieldArgument};
use crate::{cost, sampling};

/// A sampling plan: which tokens of an image are generated at which AR step, and with how many diffusion steps.
///
/// `gtr.plan` and `Plan.from_json` create plans. A plan is immutable. Two plans are equal if their JSON documents are equal.
/// In a notebook a plan is shown as a figure.
#[pyclass(name = "Plan", module = "gtr", frozen)]
#[derive(Debug)]
pub(crate) struct PyPlan {
    plan: Plan,
    adaptations: Vec<String>,
}

impl PyPlan {
    pub(crate) fn new(plan: Plan, adaptations: Vec<String>) -> Self {
        Self { plan, adaptations }
    }

    fn step(&self, index: usize) -> PyResult<&Step> {
        let steps = self.plan.steps();
        steps.get(index).ok_or_else(|| PyIndexError::new_err(format!("there is no AR step {index} of {}", steps.len())))
    }

    /// Builds the detail rule; fails if the plan names an unknown one.
    fn rule(&self) -> PyResult<Box<dyn Detail>> {
        Ok(Registry::builtin().build_detail(self.plan.detail()).map_err(Failure::from)?)
    }
}

#[expect(clippy::cast_possible_wrap, reason = "tokens are below 2^24")]
fn number(token: TokenIndex) -> i64 {
    token.index() as i64
}

fn numbers<'py>(py: Python<'py>, tokens: &[TokenIndex]) -> Bound<'py, PyArray1<i64>> {
    PyArray1::from_iter(py, tokens.iter().copied().map(number))
}

/// Lists the axes of a plan whose implementation is not part of this package.
fn unknown(plan: &Plan) -> Vec<String> {
    let name = |axis: AxisName| format!("{axis} `{}`", plan.schedule().axis(axis).kind);
    plan.schedule().unknown(&Registry::builtin()).into_iter().map(name).collect()
}

#[pymethods]
impl PyPlan {
    /// Reads a plan from JSON, as `to_json` or `gtr-cli plan --format json` writes it, and checks every rule.
    ///
    /// A plan whose order, pace, diffusion curve or detail rule is not known here is checked in its structure alone: `unknown` is
    /// then not empty, and the plan need not be what its schedule makes. Raises `gtr.PlanError` with the broken rules.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> PyResult<Self> {
        let read = py.detach(|| {
            let document = PlanDocument::parse(text).map_err(|violation| violation.to_string())?;
            let checked = Plan::from_document(&document, &Registry::builtin());
            checked.map(|checked| checked.plan).map_err(|error| error.to_string())
        });
        Ok(Self::new(read.map_err(PlanError::new_err)?, Vec::new()))
    }

    /// Returns the plan as JSON, byte for byte as `gtr-cli plan --format json` writes it.
    fn to_json(&self) -> String {
        self.plan.to_document().to_json()
    }

    /// Number of rows and columns of tokens.
    #[getter]
    fn grid(&self) -> (u32, u32) {
        (self.plan.grid().height(), self.plan.grid().width())
    }

    /// The schedule of the plan with all parameters: a dictionary with the keys `order`, `pace`, `diffusion`, `detail`, the
    /// optional axes that it sets, and `adapt` if an axis was adapted.
    #[getter]
    fn schedule<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, self.plan.schedule())
    }

    /// The stages in order: dictionaries with `role` (`generation` or `reconstruction`) and `tokens`.
    #[getter]
    fn stages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.plan.to_document().stages)
    }

    /// The AR steps in order: dictionaries with `stage`, `tokens`, `diffusion_steps`, and `detail` if the rule picks tokens.
    #[getter]
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.plan.to_document().steps)
    }

    /// The tokens that are known before the first step, ascending: `int64[known]`.
    #[getter]
    fn known<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        numbers(py, self.plan.known())
    }

    /// One sentence for each change that adapted the schedule to the grid.
    #[getter]
    fn adaptations(&self) -> Vec<String> {
        self.adaptations.clone()
    }

    /// The axes with an unknown implementation, for example one written in Python: one string per axis.
    #[getter]
    fn unknown(&self) -> Vec<String> {
        unknown(&self.plan)
    }

    /// Returns a summary of the plan: a dictionary of tokens, steps, evaluations and the spread of each stage.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let summary = py.detach(|| self.plan.summary());
        to_python(py, &summary)
    }

    /// Returns the order in which the tokens of an image are generated: `int64[tokens left]`.
    ///
    /// The first step takes its number of tokens from the front, the next step those that follow. Tokens that are known
    /// from the start are not included. The order is a pure function of plan, seed and image; it is an error to ask for it if
    /// the plan decides it while sampling.
    #[pyo3(signature = (seed=Whole(0), image=Whole(0)))]
    fn order<'py>(&self, py: Python<'py>, seed: Whole, image: Whole) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let order = py.detach(|| self.plan.order(Seed(seed.0), ImageIndex(image.0))).map_err(Failure::from)?;
        Ok(numbers(py, &order))
    }

    /// Returns the orders of several images, given by number: `int64[images, tokens left]`.
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
    fn orders<'py>(&self, py: Python<'py>, seed: Whole, images: Wholes) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let left = self.plan.grid().tokens() - self.plan.known().len();
        let order = |&image: &u64| self.plan.order(Seed(seed.0), ImageIndex(image));
        let orders = py.detach(|| images.0.iter().map(order).collect::<Result<Vec<_>, _>>()).map_err(Failure::from)?;
        let values: Vec<i64> = orders.into_iter().flatten().map(number).collect();
        PyArray1::from_vec(py, values).reshape([images.0.len(), left])
    }

    /// Returns which tokens are unknown before each AR step and after the last: `bool[steps + 1, tokens]`.
    #[pyo3(signature = (seed=Whole(0), image=Whole(0)))]
    fn masks<'py>(&self, py: Python<'py>, seed: Whole, image: Whole) -> PyResult<Bound<'py, PyArray2<bool>>> {
        let (tokens, steps) = (self.plan.grid().tokens(), self.plan.steps());
        let order = self.plan.order(Seed(seed.0), ImageIndex(image.0)).map_err(Failure::from)?;
        let values = py.detach(|| {
            let mut rest = order.as_slice();
            let mut values = Vec::with_capacity((steps.len() + 1) * tokens);
            for known in std::iter::once(0).chain(steps.iter().map(Step::tokens)) {
                rest = &rest[known..];
                let begin = values.len();
                values.resize(begin + tokens, false);
                for token in rest {
                    values[begin + token.index()] = true;
                }
            }
            values
        });
        PyArray1::from_vec(py, values).reshape([steps.len() + 1, tokens])
    }

    /// Returns the timesteps of an AR step, ascending: `int64[T]` for the tokens that are not picked and, if the step has a
    /// `detail`, a second array for the picked tokens. Sampling visits them from the last to the first.
    fn timesteps<'py>(&self, py: Python<'py>, step: usize) -> PyResult<Bound<'py, PyTuple>> {
        let step = self.step(step)?;
        let detail = step.detail().map(|detail| detail.diffusion_steps);
        let groups = std::iter::once(step.diffusion_steps()).chain(detail).map(|steps| {
            let timesteps = Timesteps::new(steps, self.plan.timestep_limit()).map_err(Failure::from)?;
            Ok(sampling::array(py, &timesteps))
        });
        PyTuple::new(py, groups.collect::<PyResult<Vec<_>>>()?)
    }

    /// Returns the scale of classifier-free guidance in each AR step: `float64[steps]`.
    ///
    /// `schedule` is the course of the model: `linear`, which grows with the fraction of tokens that are known after the
    /// step, or `constant`. It applies unless the schedule sets the axis `guidance`.
    #[pyo3(signature = (scale, schedule="linear"))]
    fn guidance<'py>(&self, py: Python<'py>, scale: f64, schedule: &str) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let schedule = schedule.parse::<GuidanceSchedule>().map_err(|error| out_of_range(&error))?;
        let guidance = Guidance::new(scale, schedule).map_err(|error| out_of_range(&error))?;
        let tokens = self.plan.grid().tokens();
        let mut left = tokens - self.plan.known().len();
        let scales = self.plan.steps().iter().map(|step| {
            left -= step.tokens();
            guidance.in_step(step.axes().guidance, tokens, left)
        });
        Ok(PyArray1::from_iter(py, scales))
    }

    /// True if the detail rule ranks tokens by their conditioning vectors.
    #[getter]
    fn ranks_features(&self) -> PyResult<bool> {
        let picks = self.plan.steps().iter().any(|step| step.detail().is_some());
        Ok(picks && self.rule()?.requirements().contains(&Capability::HostFeatures))
    }

    /// Returns the positions in `tokens` that the detail rule picks, ascending: `int64[picked]`. `tokens` are the tokens of one
    /// image in an AR step.
    ///
    /// `features` are the conditioning vectors of the tokens as passed to the head, `float32[tokens, width]`. Only rules that
    /// rank tokens by them need `features`.
    #[pyo3(signature = (step, tokens, features=None, *, seed=Whole(0), image=Whole(0)))]
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
    fn pick<'py>(
        &self,
        py: Python<'py>,
        step: usize,
        tokens: Wholes,
        features: Option<PyReadonlyArray2<'py, f32>>,
        seed: Whole,
        image: Whole,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let Some(detail) = self.step(step)?.detail() else { return Ok(PyArray1::from_vec(py, Vec::new())) };
        let rows = features.as_ref().map(|features| Ok::<_, PyErr>((features.as_slice()?, features.shape()[1])));
        let address = (seed, image, Whole(step as u64));
        let picked = sampling::picks(self.rule()?.as_ref(), &tokens, rows.transpose()?, address, Some(detail.tokens))?;
        Ok(PyArray1::from_iter(py, picked.into_iter().map(|position| i64::try_from(position).unwrap_or(i64::MAX))))
    }

    fn _cost<'py>(&self, py: Python<'py>, architecture_json: &str, guided: bool) -> PyResult<Bound<'py, PyDict>> {
        let architecture = cost::architecture(architecture_json)?;
        let parts = PyDict::new(py);
        for (name, operations) in cost::parts(&architecture.cost(&self.plan, guided)) {
            parts.set_item(name, operations)?;
        }
        Ok(parts)
    }

    /// Returns the number of operations per image on an architecture, by part, and their `total`.
    ///
    /// `architecture` is a name such as `mar-h`, or a dictionary in the form of `gtr.ARCHITECTURES`. With guidance, everything
    /// except the text is computed twice.
    #[pyo3(signature = (architecture, *, guided=true))]
    fn cost<'py>(
        slf: &Bound<'py, Self>,
        architecture: &Bound<'py, PyAny>,
        guided: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("gtr._architectures")?.call_method1("cost", (slf, architecture, guided))
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 passes owned arguments")]
    fn _loss<'py>(
        &self,
        py: Python<'py>,
        field: FieldArgument<'py>,
        seed: Whole,
        images: Option<Whole>,
    ) -> PyResult<Bound<'py, PyDict>> {
        loss::of_plan(py, &self.plan, &field, seed, images)
    }

    /// Returns the loss of the plan in nats: the divergence that results from drawing the tokens of a step independently of each
    /// other, on a Gaussian field. The result is a dictionary of `total`, `steps` (`float64[steps]`), `tokens`
    /// (`float64[height, width]`), and the `standard_error` of the mean over `images`.
    ///
    /// `field` is `KIND:LENGTH` or `KIND:LENGTH:NUGGET`, such as `exponential:2`, or a covariance `[n, n]` or `[classes, n, n]`,
    /// where n is the number of tokens times channels and the channels of a token are adjacent.
    #[pyo3(signature = (field=None, *, seed=Whole(0), images=None))]
    fn loss<'py>(
        slf: &Bound<'py, Self>,
        field: Option<Bound<'py, PyAny>>,
        seed: Whole,
        images: Option<Whole>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let field = field.unwrap_or_else(|| PyString::new(py, "exponential:2").into_any());
        let field = py.import("gtr._design")?.call_method1("covariance", (field,))?;
        slf.call_method1("_loss", (field, seed.0, images.map(|Whole(images)| images)))
    }

    fn _repr_svg_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("gtr._draw")?.call_method1("svg", (slf,))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("gtr._draw")?.call_method1("html", (slf,))
    }

    fn __repr__(&self) -> String {
        let schedule = self.plan.schedule();
        let kinds = schedule.axes().map(|(_, config)| config.kind.as_str()).collect::<Vec<_>>().join(", ");
        let (grid, steps) = (self.plan.grid(), gtr_core::count(self.plan.steps().len(), "AR step"));
        format!("<gtr.Plan of {grid} tokens in {steps}: {kinds}>")
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().plan == self.plan)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.to_json().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.get_type().getattr("from_json")?, (slf.get().to_json(),)))
    }
}

/// Adds the class of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyPlan>()
}
