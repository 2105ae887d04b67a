//! Verification of untrusted plans against every rule.

use gtr_core::{PlanDocument, Registry, Violation};
use pyo3::prelude::*;

/// A violation: rule number, rule name, place, value found, value expected, and the whole message.
type Broken = (u8, &'static str, String, String, String, String);

fn broken(violation: &Violation) -> Broken {
    let Violation { rule, place, found, expected } = violation;
    (rule.number(), rule.name(), place.clone(), found.clone(), expected.clone(), violation.to_string())
}

/// Returns the violations of a document, and notes on rules that could not be checked.
#[pyfunction]
fn verify(py: Python<'_>, text: &str) -> (Vec<Broken>, Vec<String>) {
    py.detach(|| match PlanDocument::parse(text) {
        Err(violation) => (vec![broken(&violation)], Vec::new()),
        Ok(document) => {
            let verification = gtr_core::verify(&document, &Registry::builtin());
            (verification.violations.iter().map(broken).collect(), verification.notes)
        }
    })
}

/// Adds the function of this file to the Python module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(verify, module)?)
}
