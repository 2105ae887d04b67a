//! Conversion of a document to a plan, with the list of axes that were not checked.

use super::{not_checked, verify};
use crate::{AxisName, Error, Plan, PlanDocument, Registry};

/// A plan read from a document, and the axes that could not be checked.
///
/// # Examples
/// ```
/// use gtr_core::{AxisName, Grid, Plan, Registry, preset};
/// let registry = Registry::builtin();
/// let plan = preset::find("gtr-16")?.schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
/// let mut document = plan.to_document();
/// assert_eq!(Plan::from_document(&document, &registry)?.unchecked, []);
///
/// // The stages of an unknown order cannot be checked.
/// document.schedule.order.kind = "spiral".to_owned();
/// let checked = Plan::from_document(&document, &registry)?;
/// assert_eq!(checked.unchecked, [AxisName::Order]);
/// assert_eq!(checked.note().as_deref(), Some("not registered here: order `spiral`; rules 14 to 19 were not checked"));
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The plan. It satisfies the structural rules, 1 to 13.
    pub plan: Plan,
    /// Axes whose implementation is not registered. If there is one, rules 14 to 19 were not checked, and the plan may
    /// differ from the output of its schedule.
    pub unchecked: Vec<AxisName>,
}

impl Checked {
    /// Returns a line that lists what was not checked, or `None` if every rule was checked.
    pub fn note(&self) -> Option<String> {
        not_checked(self.plan.schedule(), &self.unchecked)
    }
}

impl Plan {
    /// Checks a document and converts it to a plan. The result lists the axes that could not be checked.
    ///
    /// # Errors
    /// [`Error::Unsound`] with all violations.
    pub fn from_document(document: &PlanDocument, registry: &Registry) -> Result<Checked, Error> {
        let verification = verify(document, registry);
        if !verification.is_sound() {
            return Err(Error::Unsound(verification.violations));
        }
        Ok(Checked { plan: Plan::of_sound(document, registry)?, unchecked: verification.unchecked })
    }
}
