//! Fitting a schedule to a grid.

use crate::{AxisName, Error};

/// What becomes of a wish that the grid cannot meet: an explicit one is refused, a preset's is adapted and noted.
#[derive(Clone, Debug)]
pub struct Fit {
    axis: AxisName,
    lenient: bool,
    notes: Vec<String>,
}

impl Fit {
    /// Refuses what cannot be met.
    pub fn strict(axis: AxisName) -> Self {
        Self { axis, lenient: false, notes: Vec::new() }
    }

    /// Adapts what cannot be met, and notes it.
    pub fn lenient(axis: AxisName) -> Self {
        Self { axis, lenient: true, notes: Vec::new() }
    }

    /// `what` cannot be met; `instead` is done in its place, where that is allowed.
    ///
    /// # Errors
    /// [`Error::DoesNotFit`] where it is not.
    pub fn instead(&mut self, what: String, instead: &str) -> Result<(), Error> {
        if !self.lenient {
            return Err(Error::DoesNotFit { axis: self.axis, message: what });
        }
        self.notes.push(format!("{}: {what}: {instead}", self.axis));
        Ok(())
    }

    /// What was adapted, in words.
    pub fn into_notes(self) -> Vec<String> {
        self.notes
    }
}
