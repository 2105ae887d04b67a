//! Checks of the rules of `spec/SPEC.md`, by number.

mod checked;
mod produced;
mod structure;

use std::fmt;

pub use checked::Checked;

use crate::{AxisName, Plan, PlanDocument, Registry, Rule, Schedule, Violation};

/// Result of checking a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Violations, sorted by rule; at most 8 per rule.
    pub violations: Vec<Violation>,
    /// Axes whose implementation is not registered. If there is one, rules 14 to 19 were not checked.
    pub unchecked: Vec<AxisName>,
    /// Remarks: rules that were not checked, and the number of further violations per rule.
    pub notes: Vec<String>,
}

impl Verification {
    /// Returns true if there are no violations.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Checks every rule on an untrusted document.
///
/// The structural rules apply to all plans. If all implementations of the schedule are registered, the plan must also
/// equal the output of the schedule; otherwise a note lists the implementations that are not registered.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, PlanDocument, Registry, preset, verify};
/// let registry = Registry::builtin();
/// let plan = preset::find("gtr-16")?.schedule.plan(Grid::new(8, 8)?, &registry)?.plan;
/// let mut document = plan.to_document();
/// assert!(verify(&document, &registry).is_sound());
/// document.stages[0].tokens.pop();
/// let broken = verify(&document, &registry).violations;
/// assert_eq!(broken[0].to_string(), "R7 covering at stages: found no token 61, expected every token of the grid once");
/// # Ok::<(), gtr_core::Error>(())
/// ```
pub fn verify(document: &PlanDocument, registry: &Registry) -> Verification {
    let mut findings = Findings::default();
    let within = document.schedule.within(registry);
    if document.format_version != Plan::format_version(&document.schedule, within, document.known.is_empty()) {
        findings.add(Rule::Version, "format_version", document.format_version, VERSION);
        // The fields may have another meaning in another version.
        return findings.finish(Vec::new());
    }
    structure::check(document, (registry, within), &mut findings);
    let unchecked = document.schedule.unknown(registry);
    if unchecked.is_empty() {
        produced::check(document, registry, &mut findings);
    }
    let notes = not_checked(&document.schedule, &unchecked);
    Verification { unchecked, ..findings.finish(notes.into_iter().collect()) }
}

/// Returns a note on the rules that were not checked, or `None` if all were.
fn not_checked(schedule: &Schedule, unchecked: &[AxisName]) -> Option<String> {
    if unchecked.is_empty() {
        return None;
    }
    let kind = |axis| -> String { schedule.axis(axis).kind.chars().take(KIND_SHOWN).collect() };
    let names: Vec<String> = unchecked.iter().map(|&axis| format!("{axis} `{}`", kind(axis))).collect();
    Some(format!("not registered here: {}; rules 14 to 19 were not checked", names.join(", ")))
}

const VERSION: &str = "1, 2 if tokens are known, or 3 if the schedule sets an optional axis or its order is ranked; other \
                       versions of the plan format are not supported";

/// Maximum number of characters shown of the name of an unknown implementation.
const KIND_SHOWN: usize = 40;

/// Maximum number of violations reported per rule.
const PLACES: usize = 8;

#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
    counts: [usize; Rule::ALL.len()],
}

impl Findings {
    fn add(&mut self, rule: Rule, place: impl fmt::Display, found: impl fmt::Display, expected: impl fmt::Display) {
        let count = &mut self.counts[rule as usize - 1];
        *count += 1;
        if *count <= PLACES {
            let [place, found, expected] = [place.to_string(), found.to_string(), expected.to_string()];
            self.violations.push(Violation { rule, place, found, expected });
        }
    }

    fn finish(mut self, mut notes: Vec<String>) -> Verification {
        self.violations.sort_by_key(|violation| violation.rule);
        for (rule, &count) in Rule::ALL.iter().zip(&self.counts) {
            if count > PLACES {
                notes.push(format!("{rule} is violated in {} more places", count - PLACES));
            }
        }
        Verification { violations: self.violations, unchecked: Vec::new(), notes }
    }
}
