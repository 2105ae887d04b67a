//! Results of a comparison.

use std::fmt;

use serde::Serialize;

use super::Options;
use crate::{ComputePath, device_name};

/// Allowed difference between a value and the recorded value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tolerance {
    /// No difference.
    Exact,
    /// Largest absolute difference.
    Absolute(f64),
    /// Largest difference relative to the recorded value.
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

/// Result of the comparison of one quantity of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantity {
    /// Name of the recording.
    pub recording: String,
    /// Name of the quantity. The values of all steps of a run are one quantity.
    pub name: String,
    /// Number of compared values.
    pub values: usize,
    /// Largest absolute difference; infinite if values are missing or not finite.
    #[serde(serialize_with = "finite")]
    pub absolute: f64,
    /// Largest difference relative to the largest recorded value, or to each recorded value if the tolerance is
    /// relative.
    #[serde(serialize_with = "finite")]
    pub relative: f64,
    /// Tolerance. If it differs between the steps of a run, that of the step with the largest share of its tolerance.
    pub tolerance: Tolerance,
    /// True if the difference is within the tolerance.
    pub passed: bool,
}

/// Serializes infinity as a string, since JSON has no infinity.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn finite<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
}

/// A remark on a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// Name of the recording.
    pub recording: String,
    /// Text, one line.
    pub text: String,
}

/// Device, type and tolerances of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Device, such as `cpu` or `cuda:0`. `cpu, device path` for a run with [`Compute::through_device_path`].
    ///
    /// [`Compute::through_device_path`]: crate::Compute::through_device_path
    pub device: String,
    /// Type of the matrices. A trace may be replayed in another type; a note says so.
    pub dtype: String,
    /// Which differences are allowed: `recorded`, a number, or `rounding` with its share.
    pub tolerances: String,
}

impl Setting {
    pub(super) fn of(options: &Options) -> Self {
        let (device, precision) = (options.compute.device(), options.compute.precision());
        let on_device_path = device.is_cpu() && options.compute.path() == ComputePath::Device;
        Self {
            device: device_name(device) + if on_device_path { ", device path" } else { "" },
            dtype: precision.name().to_owned(),
            tolerances: options.tolerances.describe(precision),
        }
    }
}

/// Results of all comparisons.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConformReport {
    /// Device, type and tolerances.
    #[serde(flatten)]
    pub setting: Setting,
    /// Compared quantities, grouped by recording.
    pub quantities: Vec<Quantity>,
    /// Quantities and recordings that were not compared, with the reason.
    pub notes: Vec<Remark>,
    /// Recordings that could not be compared because they are unreadable, incomplete or inconsistent.
    pub problems: Vec<Remark>,
}

impl ConformReport {
    /// Returns true if all quantities are within tolerance and there are no problems.
    pub fn passed(&self) -> bool {
        self.problems.is_empty() && self.failures().next().is_none() && !self.quantities.is_empty()
    }

    /// Quantities that are not within tolerance.
    pub fn failures(&self) -> impl Iterator<Item = &Quantity> {
        self.quantities.iter().filter(|quantity| !quantity.passed)
    }
}

/// Formats device, type and tolerances, a table of the quantities, then notes and problems, one per line.
impl fmt::Display for ConformReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { device, dtype, tolerances } = &self.setting;
        writeln!(f, "device {device}, type {dtype}, tolerances: {tolerances}\n")?;
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
