//! The rules of `spec/SPEC.md` by number and name, and violations of them.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// A numbered rule of the plan format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The document is a JSON object with exactly the fields of the format.
    Document = 1,
    /// The format version is supported.
    Version = 2,
    /// The grid is valid.
    Grid = 3,
    /// There is at least one stage, and no stage is empty.
    Stages = 4,
    /// Every token is on the grid.
    OnGrid = 5,
    /// No token occurs twice.
    Disjoint = 6,
    /// No token of the grid is missing.
    Covering = 7,
    /// Tokens are ascending if the list does not determine their order.
    Listing = 8,
    /// All stages are generation stages, except that the last of several can be a reconstruction.
    Roles = 9,
    /// Steps are in the order of their stages, at least one per stage.
    StepOrder = 10,
    /// The steps of a stage generate all tokens of the stage.
    StepTokens = 11,
    /// The number of diffusion steps is 1 to 1000 and at most the number of timesteps.
    DiffusionSteps = 12,
    /// Only reconstruction steps have detail, with valid numbers of tokens and diffusion steps.
    Detail = 13,
    /// The schedule can be planned on the grid.
    Schedule = 14,
    /// The stages equal the output of the order.
    OrderProduced = 15,
    /// The steps equal the output of the pace.
    PaceProduced = 16,
    /// The diffusion steps equal the output of the diffusion curve.
    DiffusionProduced = 17,
    /// The detail equals the output of the detail rule.
    DetailProduced = 18,
    /// The data of optional axes equals their output.
    AxesProduced = 19,
}

impl Rule {
    /// All rules, in order.
    pub const ALL: [Self; 19] = [
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
        Self::AxesProduced,
    ];

    /// Returns the number in `spec/SPEC.md`.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Returns the short name in `spec/SPEC.md`.
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
            Self::AxesProduced => "axes-produced",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{} {}", self.number(), self.name())
    }
}

/// A violation of a rule by a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Path in the document, for example `stages[1].tokens[3]`.
    pub place: String,
    /// Description of the value found.
    pub found: String,
    /// Description of the valid values.
    pub expected: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: found {}, expected {}", self.rule, self.place, self.found, self.expected)
    }
}

impl std::error::Error for Violation {}

/// Serialised form of a violation, with the number and the name of the rule.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Violation")]
struct ViolationDocument<'a> {
    /// Number of the rule in the specification.
    rule: u8,
    /// Short name of the rule.
    name: &'a str,
    /// Path in the document.
    place: &'a str,
    /// Description of the value found.
    found: &'a str,
    /// Description of the valid values.
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
