//! `loss`: the loss of steps on Gaussian fields.

use gtr_core::loss::{Field, Isotropic, LARGEST, Measured, loss_of_steps};
use gtr_core::{Grid, TokenIndex, TokenSet};
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, whole, whole_list};
use super::report::Tolerance;
use crate::BackendError;

/// Tolerance stated in the README of the recordings.
const TOLERANCE: Tolerance = Tolerance::Relative(1e-8);

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let cases = recording.value("/cases")?.as_array().ok_or_else(|| recording.wrong("`cases` is not a list"))?;
    for (number, value) in cases.iter().enumerate() {
        let case = Case { recording, number, value };
        let grid = case.grid()?;
        let field = case.field(grid)?;
        let loss = loss_of_steps(&TokenSet::empty(grid), &case.steps(grid)?, &field)
            .map_err(|error| case.wrong(&error.to_string()))?;
        let kind = case.text("/field/kind")?;
        checks.numbers(&format!("{kind} {grid}"), &[loss.total], &[case.number("/loss_nats")?], TOLERANCE);
        if let Some(steps) = case.value.get("per_step") {
            let expected: Option<Vec<f64>> =
                steps.as_array().and_then(|steps| steps.iter().map(Value::as_f64).collect());
            let expected = expected.ok_or_else(|| case.wrong("`per_step` is not a list of numbers"))?;
            checks.numbers(&format!("{kind} {grid} by step"), &loss.steps, &expected, TOLERANCE);
        }
    }
    Ok(())
}

/// A recorded case.
struct Case<'a> {
    recording: &'a Recording,
    number: usize,
    value: &'a Value,
}

impl Case<'_> {
    fn wrong(&self, reason: &str) -> BackendError {
        self.recording.wrong(format!("case {}: {reason}", self.number))
    }

    fn said(&self, pointer: &str) -> Result<&Value, BackendError> {
        self.value.pointer(pointer).ok_or_else(|| self.wrong(&format!("`{pointer}` is missing")))
    }

    fn number(&self, pointer: &str) -> Result<f64, BackendError> {
        self.said(pointer)?.as_f64().ok_or_else(|| self.wrong(&format!("`{pointer}` is not a number")))
    }

    fn text(&self, pointer: &str) -> Result<&str, BackendError> {
        self.said(pointer)?.as_str().ok_or_else(|| self.wrong(&format!("`{pointer}` is not a string")))
    }

    fn whole(&self, pointer: &str) -> Result<usize, BackendError> {
        whole(self.number(pointer)?).ok_or_else(|| self.wrong(&format!("`{pointer}` is not an integer below 2^24")))
    }

    fn grid(&self) -> Result<Grid, BackendError> {
        let side = |pointer| Ok::<_, BackendError>(u32::try_from(self.whole(pointer)?).unwrap_or(u32::MAX));
        let (height, width) = (side("/grid/height")?, side("/grid/width")?);
        let grid = Grid::new(height, width).map_err(|error| self.wrong(&error.to_string()))?;
        if grid.tokens() > LARGEST {
            return Err(self.wrong(&format!("the grid {grid} is too large to compare")));
        }
        Ok(grid)
    }

    fn steps(&self, grid: Grid) -> Result<Vec<Vec<TokenIndex>>, BackendError> {
        let wrong = || self.wrong("`steps` is not a list of lists of tokens of the grid");
        let step = |step: &Value| {
            let tokens = whole_list(step).ok_or_else(wrong)?;
            tokens.into_iter().map(|token| grid.token(token).map_err(|_| wrong())).collect()
        };
        self.said("/steps")?.as_array().ok_or_else(wrong)?.iter().map(step).collect()
    }

    fn field(&self, grid: Grid) -> Result<Field, BackendError> {
        let wrong = |error: gtr_core::Error| self.wrong(&error.to_string());
        let kind = self.text("/field/kind")?;
        if kind != "measured" {
            let (length, nugget) = (self.number("/field/length")?, self.number("/field/nugget")?);
            return Ok(Isotropic::new(kind, length, nugget).map_err(wrong)?.into());
        }
        let channels = self.value.get("channels").map_or(Ok(1), |_| self.whole("/channels"))?;
        let tensor = self.text("/field/tensor")?;
        let covariance = self.recording.f64s(tensor)?;
        Ok(Measured::new(tensor, grid, channels, vec![covariance]).map_err(wrong)?.into())
    }
}
