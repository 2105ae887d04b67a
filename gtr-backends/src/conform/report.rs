//! What a comparison found.

use std::fmt;

use serde::Serialize;

/// How far a number may be from the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tolerance {
    /// Not at all.
    Exact,
    /// The largest difference allowed.
    Absolute(f64),
    /// The largest difference allowed, divided by the recorded number.
    Relative(f64),
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Absolute(most) => write!(f, "{most:.1e}"),
            Self::Relative(most) => write!(f, "{most:.1e} rel"),
        }
    }
}

/// One quantity of a recording, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantity {
    /// The recording.
    pub recording: String,
    /// What was compared; what occurs in each step of a run is one quantity.
    pub name: String,
    /// How many numbers were compared.
    pub values: usize,
    /// The largest difference; infinite where a number is none or numbers are missing.
    #[serde(serialize_with = "finite")]
    pub absolute: f64,
    /// The same relative to the recorded numbers: to the largest of them, or to each where the tolerance is relative.
    #[serde(serialize_with = "finite")]
    pub relative: f64,
    /// What was allowed. Where it differs between the steps of a run: that of the step that came closest to it.
    pub tolerance: Tolerance,
    /// Whether the quantity is within it.
    pub passed: bool,
}

/// JSON has no infinity.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "how serde calls it")]
fn finite<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
}

/// Something to say of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// The recording.
    pub recording: String,
    /// One line.
    pub text: String,
}

/// All that was compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What was compared, recording by recording.
    pub quantities: Vec<Quantity>,
    /// What was left out, and why.
    pub notes: Vec<Remark>,
    /// Recordings that could not be compared: not readable, not complete, or contradicting themselves.
    pub problems: Vec<Remark>,
}

impl Report {
    /// Whether everything that was compared is within tolerance, and nothing could not be compared.
    pub fn passed(&self) -> bool {
        self.problems.is_empty() && self.failures().next().is_none() && !self.quantities.is_empty()
    }

    /// The quantities that are not within tolerance.
    pub fn failures(&self) -> impl Iterator<Item = &Quantity> {
        self.quantities.iter().filter(|quantity| !quantity.passed)
    }
}

/// A table of the quantities, then notes and problems, a line each.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: fn(&Quantity) -> &str, least: usize| {
            self.quantities.iter().map(|quantity| column(quantity).chars().count()).fold(least, usize::max)
        };
        let (recordings, names) = (width(|it| &it.recording, 9), width(|it| &it.name, 8));
        let (recording, name, largest) = ("recording", "quantity", "largest difference");
        writeln!(f, "{:5} {recording:recordings$}  {name:names$}  {:>9}  {largest:>20}  allowed", "", "values")?;
        for quantity in &self.quantities {
            let Quantity { recording, name, values, absolute, relative, tolerance, passed } = quantity;
            let passed = if *passed { "ok" } else { "FAIL" };
            writeln!(
                f,
                "{passed:5} {recording:recordings$}  {name:names$}  {values:9}  {absolute:9.2e} {relative:9.2e}r  {tolerance}"
            )?;
        }
        for Remark { recording, text } in &self.notes {
            writeln!(f, "note: {recording}: {text}")?;
        }
        for Remark { text, .. } in &self.problems {
            writeln!(f, "problem: {text}")?;
        }
        Ok(())
    }
}
