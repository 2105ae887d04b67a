//! Fitting a schedule to a grid.

use crate::{AxisName, Error};

/// Handles settings of one axis that the grid cannot satisfy: returns an error for explicit settings, adapts those of a
/// preset and records the change.
#[derive(Clone, Debug)]
pub struct FitPolicy {
    axis: AxisName,
    lenient: bool,
    notes: Vec<String>,
}

impl FitPolicy {
    /// Returns an error for each setting that cannot be satisfied.
    pub fn strict(axis: AxisName) -> Self {
        Self { axis, lenient: false, notes: Vec::new() }
    }

    /// Adapts settings that cannot be satisfied and records each change.
    pub fn lenient(axis: AxisName) -> Self {
        Self { axis, lenient: true, notes: Vec::new() }
    }

    /// Reports a setting that cannot be satisfied. `what` describes the problem and `instead` the adaptation.
    ///
    /// # Errors
    /// [`Error::DoesNotFit`] if adaptation is not allowed ([`FitPolicy::strict`]).
    pub fn instead(&mut self, what: String, instead: &str) -> Result<(), Error> {
        if !self.lenient {
            return Err(Error::DoesNotFit { axis: self.axis, message: what });
        }
        self.notes.push(format!("{}: {what}; {instead}", self.axis));
        Ok(())
    }

    /// Returns the recorded adaptations, one line each.
    pub fn into_notes(self) -> Vec<String> {
        self.notes
    }
}
