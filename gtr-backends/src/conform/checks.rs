//! Collects the results of comparisons.

use candle_core::{DType, Device, Tensor};

use super::Inputs;
use super::recording::Recording;
use super::report::{ConformReport, Quantity, Remark, Tolerance};
use super::tolerances::Origin;
use crate::error::Context;
use crate::{BackendError, Precision};

/// Results of one recording.
pub(super) struct Checks<'a> {
    report: &'a mut ConformReport,
    pub(super) inputs: &'a Inputs<'a>,
    recording: String,
    /// Type of the matrices of the model.
    precision: Precision,
    /// Index of the first quantity of this recording in the report.
    first: usize,
}

/// Difference between recorded and computed values.
struct Difference {
    values: usize,
    absolute: f64,
    relative: f64,
}

impl<'a> Checks<'a> {
    pub(super) fn new(report: &'a mut ConformReport, inputs: &'a Inputs<'a>, recording: &str) -> Self {
        let first = report.quantities.len();
        let precision = inputs.options.compute.precision();
        Self { report, inputs, recording: recording.to_owned(), precision, first }
    }

    /// Sets the type of the matrices of the model, if it is not that of the options.
    pub(super) fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// Continues the same report with another recording.
    pub(super) fn of(&mut self, recording: &str) -> Checks<'_> {
        Checks::new(self.report, self.inputs, recording)
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.report.notes.push(Remark { recording: self.recording.clone(), text: text.into() });
    }

    /// Notes the tensors of a recording that were not compared.
    pub(super) fn unused(&mut self, recording: &Recording) {
        let unused = recording.unused();
        if !unused.is_empty() {
            self.note(format!("not compared: {}", unused.join(", ")));
        }
    }

    pub(super) fn problem(&mut self, error: &BackendError) {
        let text = one_line(error);
        self.report.problems.push(Remark { recording: self.recording.clone(), text });
    }

    /// Compares tensors that the device computes; differing shapes are a failure.
    pub(super) fn tensors(
        &mut self,
        name: &str,
        found: &Tensor,
        expected: &Tensor,
        tolerance: f64,
    ) -> Result<(), BackendError> {
        self.both(name, found, expected, Tolerance::Absolute(tolerance), Origin::Device)
    }

    /// Compares tensors that the host computes.
    pub(super) fn host_tensors(
        &mut self,
        name: &str,
        found: &Tensor,
        expected: &Tensor,
        tolerance: f64,
    ) -> Result<(), BackendError> {
        self.both(name, found, expected, Tolerance::Absolute(tolerance), Origin::Host)
    }

    /// Compares tensors whose values are only copied or drawn, never computed on the device: they must be equal.
    pub(super) fn exact_tensors(&mut self, name: &str, found: &Tensor, expected: &Tensor) -> Result<(), BackendError> {
        self.both(name, found, expected, Tolerance::Exact, Origin::Host)
    }

    /// Compares tensors of the same shape.
    fn both(
        &mut self,
        name: &str,
        found: &Tensor,
        expected: &Tensor,
        own: Tolerance,
        origin: Origin,
    ) -> Result<(), BackendError> {
        if found.dims() != expected.dims() {
            let (found, expected) = (found.dims(), expected.dims());
            let reason = format!("expected `{name}` of the recorded shape {expected:?}, found {found:?}");
            return Err(BackendError::Recording { file: self.recording.clone(), reason });
        }
        let list =
            |tensor: &Tensor| tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let (found, expected) =
            (list(found).context("reading results")?, list(expected).context("reading recordings")?);
        self.compare(name, &found, &expected, own, origin);
        Ok(())
    }

    /// Compares numbers that the host computes.
    pub(super) fn numbers(&mut self, name: &str, found: &[f64], expected: &[f64], tolerance: Tolerance) {
        self.compare(name, found, expected, tolerance, Origin::Host);
    }

    fn compare(&mut self, name: &str, found: &[f64], expected: &[f64], own: Tolerance, origin: Origin) {
        let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let tolerance = self.inputs.options.tolerances.of(own, origin, self.precision, largest);
        self.add(name, &difference(found, expected, tolerance), tolerance);
    }

    /// Returns the largest difference that is allowed for values of the device. `own` is that of the recording, `largest`
    /// the largest absolute value.
    pub(super) fn allowed(&self, own: f64, largest: f64) -> f64 {
        let tolerances = self.inputs.options.tolerances;
        match tolerances.of(Tolerance::Absolute(own), Origin::Device, self.precision, largest) {
            Tolerance::Exact => 0.0,
            Tolerance::Absolute(most) | Tolerance::Relative(most) => most,
        }
    }

    /// Returns true if the results of whole runs are compared. Rounding of 16 bits in conditioning vectors is not: the first
    /// evaluations of a chain amplify it by up to 2e4. A note says so.
    pub(super) fn whole_runs(&mut self) -> bool {
        let compared = self.inputs.options.tolerances.compares_whole_runs(self.precision);
        if !compared {
            let precision = self.precision;
            self.note(format!("the run from start to end is not compared in {precision}: its chains amplify rounding"));
        }
        compared
    }

    /// Compares integers.
    pub(super) fn exact(&mut self, name: &str, found: &[usize], expected: &[usize]) {
        #[expect(clippy::cast_precision_loss, reason = "counts, tokens and timesteps")]
        let floats = |values: &[usize]| values.iter().map(|&value| value as f64).collect::<Vec<_>>();
        self.numbers(name, &floats(found), &floats(expected), Tolerance::Exact);
    }

    /// Adds a quantity. If the recording already has it, the larger difference is kept.
    fn add(&mut self, name: &str, new: &Difference, tolerance: Tolerance) {
        let score = |difference: &Difference, tolerance| match tolerance {
            Tolerance::Exact if difference.absolute == 0.0 => 0.0,
            Tolerance::Exact => f64::INFINITY,
            Tolerance::Absolute(most) => share(difference.absolute, most),
            Tolerance::Relative(most) => share(difference.relative, most),
        };
        let known = self.report.quantities[self.first..].iter_mut().find(|quantity| quantity.name == name);
        let passed = score(new, tolerance) <= 1.0;
        let Some(known) = known else {
            self.report.quantities.push(Quantity {
                recording: self.recording.clone(),
                name: name.to_owned(),
                values: new.values,
                absolute: new.absolute,
                relative: new.relative,
                tolerance,
                passed,
            });
            return;
        };
        let before = Difference { values: known.values, absolute: known.absolute, relative: known.relative };
        known.values += new.values;
        known.passed &= passed;
        if score(new, tolerance) > score(&before, known.tolerance) {
            (known.absolute, known.relative, known.tolerance) = (new.absolute, new.relative, tolerance);
        }
    }
}

/// Returns the difference as a share of the tolerance.
fn share(difference: f64, most: f64) -> f64 {
    match difference / most {
        _ if difference == 0.0 => 0.0,
        // Infinity by infinity, or NaN.
        share if share.is_nan() => f64::INFINITY,
        share => share,
    }
}

fn difference(found: &[f64], expected: &[f64], tolerance: Tolerance) -> Difference {
    if found.len() != expected.len() {
        return Difference { values: expected.len(), absolute: f64::INFINITY, relative: f64::INFINITY };
    }
    let (mut absolute, mut largest, mut relative) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (&found, &expected) in found.iter().zip(expected) {
        // A value that is not finite never matches.
        let difference =
            if found.is_finite() && expected.is_finite() { (found - expected).abs() } else { f64::INFINITY };
        absolute = absolute.max(difference);
        relative = relative.max(share(difference, expected.abs()));
        largest = largest.max(expected.abs());
    }
    if !matches!(tolerance, Tolerance::Relative(_)) {
        relative = share(absolute, largest);
    }
    Difference { values: expected.len(), absolute, relative }
}

/// Formats an error and its causes on one line.
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use gtr_core::Registry;

    use super::super::Options;
    use super::*;
    use crate::Families;

    fn check(found: &[f64], expected: &[f64], tolerance: Tolerance) -> Quantity {
        let (mut report, options) = (ConformReport::default(), Options::default());
        let registry = Registry::builtin();
        let inputs = Inputs { options: &options, registry: &registry, families: &Families::builtin() };
        Checks::new(&mut report, &inputs, "test").numbers("x", found, expected, tolerance);
        report.quantities.remove(0)
    }

    #[test]
    fn missing_and_non_finite_values_fail() {
        for (found, expected) in
            [(f64::NAN, 1.0), (1.0, f64::NAN), (f64::NAN, f64::NAN), (f64::INFINITY, f64::INFINITY)]
        {
            for tolerance in [Tolerance::Exact, Tolerance::Absolute(1e9), Tolerance::Relative(1e9)] {
                assert!(!check(&[found], &[expected], tolerance).passed, "{found} {expected} {tolerance}");
            }
        }
        assert!(!check(&[1.0], &[1.0, 1.0], Tolerance::Absolute(9.0)).passed);
    }

    #[test]
    fn tolerances_are_bounds() {
        assert!(check(&[1.5], &[1.0], Tolerance::Absolute(0.5)).passed);
        assert!(!check(&[1.5], &[1.0], Tolerance::Absolute(0.4)).passed);
        assert!(check(&[0.0, 11.0], &[0.0, 10.0], Tolerance::Relative(0.1)).passed);
        assert!(!check(&[1e-9, 10.0], &[0.0, 10.0], Tolerance::Relative(0.1)).passed);
        assert!(!check(&[1.0], &[2.0], Tolerance::Exact).passed);
        assert!(check(&[0.0], &[0.0], Tolerance::Absolute(0.0)).passed);
    }

    #[test]
    fn the_largest_difference_of_all_steps_is_kept() {
        let (mut report, options) = (ConformReport::default(), Options::default());
        let registry = Registry::builtin();
        let inputs = Inputs { options: &options, registry: &registry, families: &Families::builtin() };
        let mut checks = Checks::new(&mut report, &inputs, "test");
        for found in [1.0, 1.3, 1.1] {
            checks.numbers("x", &[found], &[1.0], Tolerance::Absolute(0.2));
        }
        let [quantity] = &report.quantities[..] else { panic!("{report}") };
        assert_eq!((quantity.values, quantity.passed), (3, false));
        assert!((quantity.absolute - 0.3).abs() < 1e-9);
    }
}
