//! The rules of `spec/SPEC.md` by number and name, and where a document breaks one.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

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
