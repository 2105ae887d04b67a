//! The rules that make a plan sound, numbered as in `spec/SPEC.md`, and the check of each.

mod checked;
mod produced;
mod structure;

use std::fmt;

pub use checked::Checked;

use crate::{AxisName, Plan, PlanDocument, Registry, Rule, Schedule, Violation};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Broken rules, by number; of a rule that is broken in many places the first few.
    pub violations: Vec<Violation>,
    /// The axes whose implementation is not registered: whether the plan is what they make was not checked.
    pub unchecked: Vec<AxisName>,
    /// What could not be checked, and why.
    pub notes: Vec<String>,
}

impl Verification {
    /// Whether every rule holds that could be checked.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Checks every rule on a document that nobody vouches for.
///
/// The structural rules hold for any plan. Where the schedule names registered implementations, the plan must also be
/// exactly what they make; where it does not, a note says so.
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
    if document.format_version != Plan::format_version(document.known.is_empty()) {
        findings.add(Rule::Version, "format_version", document.format_version, VERSION);
        // What another version means by its fields is not known here.
        return findings.finish(Vec::new());
    }
    structure::check(document, registry, &mut findings);
    let unchecked = document.schedule.unknown(registry);
    if unchecked.is_empty() {
        produced::check(document, registry, &mut findings);
    }
    let notes = not_checked(&document.schedule, &unchecked);
    Verification { unchecked, ..findings.finish(notes.into_iter().collect()) }
}

/// What was not checked, in words, if anything was not.
fn not_checked(schedule: &Schedule, unchecked: &[AxisName]) -> Option<String> {
    if unchecked.is_empty() {
        return None;
    }
    let kind = |axis| -> String { schedule.axis(axis).kind.chars().take(KIND_SHOWN).collect() };
    let names: Vec<String> = unchecked.iter().map(|&axis| format!("{axis} `{}`", kind(axis))).collect();
    Some(format!("not registered here: {}; rules 14 to 18 were not checked", names.join(", ")))
}

const VERSION: &str = "1, or 2 where tokens are known, the versions of the plan format that this reader knows";

/// Of the name of an implementation that nobody knows, so many characters are shown.
const KIND_SHOWN: usize = 40;

/// How many places of a rule are told apart.
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
                notes.push(format!("{rule} is broken in {} more places", count - PLACES));
            }
        }
        Verification { violations: self.violations, unchecked: Vec::new(), notes }
    }
}
