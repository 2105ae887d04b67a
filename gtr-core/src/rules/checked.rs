//! A plan that was read, and how far it was checked.

use super::{not_checked, verify};
use crate::{AxisName, Error, Plan, PlanDocument, Registry};

/// A plan made of a document, and what of the document could not be checked.
///
/// # Examples
/// ```
/// use gtr_core::{AxisName, Grid, Plan, Registry, preset};
/// let registry = Registry::builtin();
/// let plan = preset::find("gtr-16")?.schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
/// let mut document = plan.to_document();
/// assert_eq!(Plan::from_document(&document, &registry)?.unchecked, []);
///
/// // Nothing here can tell what an unknown order makes.
/// document.schedule.order.kind = "spiral".to_owned();
/// let checked = Plan::from_document(&document, &registry)?;
/// assert_eq!(checked.unchecked, [AxisName::Order]);
/// assert_eq!(checked.note().as_deref(), Some("not registered here: order `spiral`; rules 14 to 18 were not checked"));
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The plan. It keeps the structural rules, 1 to 13.
    pub plan: Plan,
    /// The axes whose implementation is not registered. If there is one, rules 14 to 18 were not checked: the plan need not be
    /// what its schedule makes.
    pub unchecked: Vec<AxisName>,
}

impl Checked {
    /// What was not checked, in words; `None` if every rule was.
    pub fn note(&self) -> Option<String> {
        not_checked(self.plan.schedule(), &self.unchecked)
    }
}

impl Plan {
    /// Accepts a document that keeps every rule that can be checked here, and says which axes could not be.
    ///
    /// # Errors
    /// [`Error::Unsound`] with the violations.
    pub fn from_document(document: &PlanDocument, registry: &Registry) -> Result<Checked, Error> {
        let verification = verify(document, registry);
        if !verification.is_sound() {
            return Err(Error::Unsound(verification.violations));
        }
        Ok(Checked { plan: Plan::of_sound(document, registry)?, unchecked: verification.unchecked })
    }
}
