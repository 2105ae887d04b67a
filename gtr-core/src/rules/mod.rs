//! The rules that make a plan sound, numbered as in `spec/SPEC.md`, and the check of each.

mod produced;
mod structure;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::order::Within;
use crate::{
    AxisName, Config, DiffusionSteps, Error, Grid, GridError, MAX_PLAN_BYTES, OutOfRange, Plan, PlanDocument, Registry,
    Schedule, TimestepLimit,
};

/// A numbered rule of the plan format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A JSON object of exactly the format's fields.
    Document = 1,
    /// A version that the reader knows.
    Version = 2,
    /// A possible grid.
    Grid = 3,
    /// At least one stage, none empty.
    Stages = 4,
    /// Every token on the grid.
    OnGrid = 5,
    /// No token twice.
    Disjoint = 6,
    /// No token missing.
    Covering = 7,
    /// Tokens ascend where their order is drawn by seed.
    Listing = 8,
    /// Generation first, at most one reconstruction, last.
    Roles = 9,
    /// Steps follow the stages.
    StepOrder = 10,
    /// Steps generate their stage's tokens.
    StepTokens = 11,
    /// Diffusion steps in range and within the timesteps.
    DiffusionSteps = 12,
    /// Detail only where it may be.
    Detail = 13,
    /// The schedule makes a plan.
    Schedule = 14,
    /// Stages are what the order makes.
    OrderProduced = 15,
    /// Steps are what the pace makes.
    PaceProduced = 16,
    /// Diffusion steps are what the curve makes.
    DiffusionProduced = 17,
    /// Detail is what the rule makes.
    DetailProduced = 18,
}

impl Rule {
    /// All rules, in order.
    pub const ALL: [Self; 18] = [
        Self::Document,
        Self::Version,
        Self::Grid,
        Self::Stages,
        Self::OnGrid,
        Self::Disjoint,
        Self::Covering,
        Self::Listing,
        Self::Roles,
        Self::StepOrder,
        Self::StepTokens,
        Self::DiffusionSteps,
        Self::Detail,
        Self::Schedule,
        Self::OrderProduced,
        Self::PaceProduced,
        Self::DiffusionProduced,
        Self::DetailProduced,
    ];

    /// Its number in `spec/SPEC.md`.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Its short name in `spec/SPEC.md`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Version => "version",
            Self::Grid => "grid",
            Self::Stages => "stages",
            Self::OnGrid => "on-grid",
            Self::Disjoint => "disjoint",
            Self::Covering => "covering",
            Self::Listing => "listing",
            Self::Roles => "roles",
            Self::StepOrder => "step-order",
            Self::StepTokens => "step-tokens",
            Self::DiffusionSteps => "diffusion-steps",
            Self::Detail => "detail",
            Self::Schedule => "schedule",
            Self::OrderProduced => "order-produced",
            Self::PaceProduced => "pace-produced",
            Self::DiffusionProduced => "diffusion-produced",
            Self::DetailProduced => "detail-produced",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{} {}", self.number(), self.name())
    }
}

/// A place where a document breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Where, as a path into the document: `stages[1].tokens[3]`.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: found {}, expected {}", self.rule, self.place, self.found, self.expected)
    }
}

impl std::error::Error for Violation {}

/// A violation as it is written: the rule by number and name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Violation")]
struct ViolationDocument<'a> {
    /// Number of the rule in the specification.
    rule: u8,
    /// Its short name.
    name: &'a str,
    /// Where, as a path into the document.
    place: &'a str,
    /// What stands there.
    found: &'a str,
    /// What would be right.
    expected: &'a str,
}

impl Serialize for Violation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rule, place, found, expected } = self;
        ViolationDocument { rule: rule.number(), name: rule.name(), place, found, expected }.serialize(serializer)
    }
}

impl JsonSchema for Violation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        ViolationDocument::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ViolationDocument::json_schema(generator)
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Broken rules, by number; of a rule that is broken in many places the first few.
    pub violations: Vec<Violation>,
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
    if document.format_version != version(document.known.is_empty()) {
        findings.add(Rule::Version, "format_version", document.format_version, VERSION);
        // What another version means by its fields is not known here.
        return findings.finish(Vec::new());
    }
    structure::check(document, registry, &mut findings);
    let mut notes = Vec::new();
    let unknown = document.schedule.unknown(registry);
    if unknown.is_empty() {
        produced::check(document, registry, &mut findings);
    } else {
        let kind = |axis| -> String { document.schedule.axis(axis).kind.chars().take(KIND_SHOWN).collect() };
        let names = unknown.iter().map(|&axis| format!("{axis} `{}`", kind(axis)));
        let names = names.collect::<Vec<_>>().join(", ");
        notes.push(format!("not registered here: {names}; rules 14 to 18 were not checked"));
    }
    findings.finish(notes)
}

const VERSION: &str = "1, or 2 where tokens are known, the versions of the plan format that this reader knows";

/// The version of a plan, by whether it generates the whole grid.
pub(crate) fn version(whole: bool) -> u64 {
    if whole { Plan::FORMAT_VERSION } else { Plan::FORMAT_VERSION_KNOWN }
}

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
        Verification { violations: self.violations, notes }
    }
}

/// The violation of a file that is too large to be a plan.
pub(crate) fn too_large() -> Violation {
    Violation {
        rule: Rule::Document,
        place: "the file".to_owned(),
        found: format!("more than {MAX_PLAN_BYTES} bytes"),
        expected: format!("at most {} MB", MAX_PLAN_BYTES >> 20),
    }
}

/// The violation of what is no plan document.
pub(crate) fn not_a_plan(path: &str, error: &serde_json::Error) -> Violation {
    let place: String = match path {
        "" | "." => "the document".to_owned(),
        path if path.len() > 80 => path.chars().take(80).chain("...".chars()).collect(),
        path => path.to_owned(),
    };
    let found: String = error.to_string().chars().take(200).collect();
    // What the parser expected is not what a plan is.
    let found = if error.is_data() { found } else { format!("text that is not JSON ({found})") };
    let expected = "a JSON object of the plan format's fields".to_owned();
    Violation { rule: Rule::Document, place, found, expected }
}

/// The grid of a document.
pub(crate) fn grid_of(document: &PlanDocument) -> Result<Grid, GridError> {
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    Grid::new(side(document.grid.height), side(document.grid.width))
}

/// A number of diffusion steps of a document.
pub(crate) fn diffusion_steps(steps: u64) -> Result<DiffusionSteps, OutOfRange> {
    DiffusionSteps::new(u32::try_from(steps).unwrap_or(u32::MAX))
}

/// A count of a document; too large a one stays too large.
pub(crate) fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The order within the stages of a schedule that need not be registered.
pub(crate) fn within_of(schedule: &Schedule, registry: &Registry) -> Within {
    if let Ok((_, order)) = registry.order(&schedule.order) {
        return order.within();
    }
    let named = schedule.order.params.get("within").cloned();
    named.and_then(|within| serde_json::from_value(within).ok()).unwrap_or(Within::Listed)
}

/// The timestep limit of a schedule that need not be registered.
pub(crate) fn limit_of(schedule: &Schedule, registry: &Registry) -> Result<TimestepLimit, Error> {
    if let Some(limit) = schedule.timestep_limit()? {
        return Ok(limit);
    }
    let Config { kind, .. } = &schedule.diffusion;
    if registry.knows(AxisName::Diffusion, kind) {
        return Ok(registry.diffusion(&schedule.diffusion)?.1.limit());
    }
    Ok(TimestepLimit::NONE)
}
