//! `solvers`: steps of solvers on one-dimensional distributions whose exact prediction of the noise is known.

use gtr_core::solver::{NoiseLevel, Update};
use gtr_core::{AxisConfig, Solver, Timesteps};
use serde::Deserialize;
use serde_json::Value;

use super::checks::Checks;
use super::recording::Recording;
use super::report::Tolerance;
use crate::BackendError;
use crate::diffusion::{Predicted, Process, ReverseStep};

/// Tolerance stated in the README of the recordings, relative to the largest value of a case.
const TOLERANCE: f64 = 1e-5;

/// A recorded case.
#[derive(Deserialize)]
struct Case {
    solver: AxisConfig,
    data: String,
    /// Ascending.
    timesteps: Vec<u32>,
    alphas_cumprod: Vec<f64>,
    /// Before the first evaluation and after each, one value per point.
    x: Vec<Vec<f64>>,
    /// Added after each evaluation but the last; empty if no noise is added.
    #[serde(default)]
    noise: Vec<Vec<f64>>,
}

/// A mixture of normal distributions.
#[derive(Deserialize)]
struct Mixture {
    weights: Vec<f64>,
    means: Vec<f64>,
    variances: Vec<f64>,
}

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let cases = recording.value("/cases")?.as_array().ok_or_else(|| recording.wrong("`cases` is not a list"))?;
    for (number, value) in cases.iter().enumerate() {
        let wrong = |reason: String| recording.wrong(format!("case {number}: {reason}"));
        let case = Case::deserialize(value).map_err(|error| wrong(error.to_string()))?;
        one(recording, &case, checks).map_err(wrong)??;
    }
    Ok(())
}

/// Checks a case. The outer error is the reason why the case is wrong.
fn one(recording: &Recording, case: &Case, checks: &mut Checks<'_>) -> Result<Result<(), BackendError>, String> {
    let solver = checks.inputs.registry.build_solver(&case.solver).map_err(|error| error.to_string())?;
    let timesteps = Timesteps::from_values(&case.timesteps)
        .map_err(|_| "expected ascending values below 1000 as `timesteps`".to_owned())?;
    let process = Process::new(&timesteps);
    let evaluations = process.evaluations();
    let mixture = match recording.value(&format!("/data/{}", case.data)) {
        Ok(value) => Mixture::parse(value)?,
        Err(error) => return Ok(Err(error)),
    };
    let points = case.x.first().map_or(0, Vec::len);
    let draws = if case.noise.is_empty() { 0 } else { evaluations - 1 };
    let even = |rows: &[Vec<f64>]| rows.iter().all(|row| row.len() == points);
    if case.x.len() != evaluations + 1 || case.noise.len() != draws || !even(&case.x) || !even(&case.noise) {
        return Err(
            "expected a row of `x` before the first evaluation and after each, and a row of `noise` after each \
                    but the last, all of the same length"
                .into(),
        );
    }
    let name = label(&case.solver);
    checks.numbers("alphas_cumprod", &process.alphas_cumprod, &case.alphas_cumprod, Tolerance::Relative(1e-6));
    let expected: Vec<f64> = case.x.concat();
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    // A level with little signal amplifies the rounding of the prediction to f32.
    let amplified = process.levels().iter().fold(0.0_f64, |most, level| most.max(level.noise / level.signal));
    let rounding = f64::from(f32::EPSILON) * amplified;
    let tolerance = |share: f64| Tolerance::Absolute(share * largest);
    let found = case.in_f64(&*solver, &process, &mixture);
    checks.numbers(&format!("{name} in f64"), &found, &expected, tolerance(TOLERANCE));
    let found = case.in_f32(&*solver, &process, &mixture);
    checks.numbers(&name, &found, &expected, tolerance(TOLERANCE.max(rounding)));
    Ok(Ok(()))
}

/// Formats a configuration: the kind and the values of its parameters.
fn label(config: &AxisConfig) -> String {
    let mut text = config.kind.clone();
    for (name, value) in &config.params {
        text = format!("{text} {name} {value}");
    }
    text
}

impl Case {
    /// Returns the noise after an evaluation.
    fn noise(&self, evaluation: usize, point: usize) -> f64 {
        self.noise.get(evaluation).map_or(0.0, |row| row[point])
    }

    /// Runs the solver alone, in f64.
    fn in_f64(&self, solver: &dyn Solver, process: &Process, mixture: &Mixture) -> Vec<f64> {
        let levels = process.levels();
        let (mut x, mut values) = (self.x[0].clone(), self.x[0].clone());
        let mut previous = vec![0.0; x.len()];
        for evaluation in 0..process.evaluations() {
            let level = levels[evaluation];
            // The recording has no predicted variance.
            let Update::Linear(update) = solver.update(&levels, evaluation) else { return values };
            for (point, (x, previous)) in x.iter_mut().zip(&mut previous).enumerate() {
                let x0 = (*x - level.noise * mixture.noise(*x, level)) / level.signal;
                let last = std::mem::replace(previous, x0);
                let noise = self.noise(evaluation, point);
                *x = update.x * *x + update.x0 * x0 + update.previous_x0 * last + update.noise * noise;
            }
            values.extend_from_slice(&x);
        }
        values
    }

    /// Runs the reverse steps of this program, in f32.
    #[expect(clippy::cast_possible_truncation, reason = "all arithmetic on tokens is f32")]
    fn in_f32(&self, solver: &dyn Solver, process: &Process, mixture: &Mixture) -> Vec<f64> {
        let levels = process.levels();
        let mut x: Vec<f32> = self.x[0].iter().map(|&value| value as f32).collect();
        let mut previous = vec![0.0; x.len()];
        let mut values = self.x[0].clone();
        for (evaluation, step) in ReverseStep::all(process, solver).iter().enumerate() {
            let predict = |&x: &f32| mixture.noise(f64::from(x), levels[evaluation]) as f32;
            let predicted: Vec<f32> = x.iter().map(predict).collect();
            let noise: Vec<f32> = (0..x.len()).map(|point| self.noise(evaluation, point) as f32).collect();
            // No update of a recorded solver has a predicted variance.
            let predicted = Predicted { noise: &predicted, v: &vec![0.0; x.len()] };
            step.take(&mut x, &mut previous, predicted, &noise, 1.0);
            values.extend(x.iter().map(|&x| f64::from(x)));
        }
        values
    }
}

impl Mixture {
    fn parse(value: &Value) -> Result<Self, String> {
        let mixture = Self::deserialize(value).map_err(|error| error.to_string())?;
        let parts = mixture.weights.len();
        if parts == 0 || mixture.means.len() != parts || mixture.variances.len() != parts {
            return Err("expected as many means and variances as weights, at least one".into());
        }
        Ok(mixture)
    }

    /// Returns the expected noise of x = signal x0 + noise n.
    fn noise(&self, x: f64, level: NoiseLevel) -> f64 {
        let parts = self.weights.iter().zip(&self.means).zip(&self.variances).map(|((weight, mean), variance)| {
            let total = level.signal.powi(2) * variance + level.noise.powi(2);
            let away = x - level.signal * mean;
            let log_weight = libm::log(*weight) - 0.5 * libm::log(total) - away.powi(2) / (2.0 * total);
            (log_weight, level.noise * away / total)
        });
        let parts: Vec<(f64, f64)> = parts.collect();
        let most = parts.iter().fold(f64::NEG_INFINITY, |most, (log_weight, _)| most.max(*log_weight));
        let weights = || parts.iter().map(|(log_weight, _)| libm::exp(log_weight - most));
        let sum: f64 = weights().zip(&parts).map(|(weight, (_, noise))| weight * noise).sum();
        sum / weights().sum::<f64>()
    }
}
