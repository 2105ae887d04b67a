//! `fts`: frequency scores of conditioning vectors.

use gtr_core::Spectrum;
use serde_json::Value;

use super::checks::Checks;
use super::recording::Recording;
use super::report::Tolerance;
use crate::BackendError;

/// Vectors are recorded in f64. Here they are rounded to f32 before the scores are computed.
const TOLERANCE: Tolerance = Tolerance::Relative(1e-6);

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let cases = recording.value("/cases")?.as_array().ok_or_else(|| recording.wrong("`cases` is not a list"))?;
    for (number, case) in cases.iter().enumerate() {
        let wrong = || recording.wrong(format!("case {number} has no numbers `x` or no `score`"));
        let x = case.get("x").and_then(Value::as_array).ok_or_else(wrong)?;
        #[expect(clippy::cast_possible_truncation, reason = "conditioning vectors are f32")]
        let x: Vec<f32> =
            x.iter().map(|value| value.as_f64().map(|value| value as f32)).collect::<Option<_>>().ok_or_else(wrong)?;
        let score = case.get("score").and_then(Value::as_f64).ok_or_else(wrong)?;
        checks.numbers("score", &[Spectrum::new(x.len()).score(&x)], &[score], TOLERANCE);
    }
    Ok(())
}
