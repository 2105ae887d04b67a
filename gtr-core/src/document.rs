//! A plan as it is written: nothing of it is believed yet.

use std::io::Read;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::json_object::{Object, maybe_object, object, objects};
use crate::{DiffusionSteps, Grid, GridError, OutOfRange, Role, Rule, Schedule, Violation, unmarked};

/// A plan file is refused beyond this size, before it is read whole.
pub const MAX_PLAN_BYTES: u64 = 64 << 20;
/// Bytes from the start that tell the encoding.
const START: u64 = 4;

/// The plan format as data. [`crate::verify`] tells whether it is sound; only then does it become a
/// [`crate::Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Plan")]
pub struct PlanDocument {
    /// Version of the format: 1, or 2 where tokens are known.
    pub format_version: u64,
    /// The token grid.
    #[serde(deserialize_with = "object")]
    pub grid: GridDocument,
    /// The tokens that are known before the first step, ascending; they belong to no stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<u32>,
    /// The schedule that the plan came from.
    #[serde(deserialize_with = "object")]
    pub schedule: Schedule,
    /// The stages, in the order in which they are generated.
    #[serde(deserialize_with = "objects")]
    pub stages: Vec<StageDocument>,
    /// The AR steps, in order; a step generates the next tokens of its stage.
    #[serde(deserialize_with = "objects")]
    pub steps: Vec<StepDocument>,
}

/// A token grid, unchecked. At most 2^24 tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grid")]
pub struct GridDocument {
    /// Rows of tokens, at least 1.
    pub height: u64,
    /// Columns of tokens, at least 1.
    pub width: u64,
}

impl GridDocument {
    /// The grid, if it is one.
    pub(crate) fn grid(self) -> Result<Grid, GridError> {
        let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
        Grid::new(side(self.height), side(self.width))
    }
}

impl From<Grid> for GridDocument {
    fn from(grid: Grid) -> Self {
        Self { height: grid.height().into(), width: grid.width().into() }
    }
}

/// A stage, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub struct StageDocument {
    /// What the stage is for.
    pub role: Role,
    /// Its tokens (row * width + column): ascending where the order within the stage is drawn by seed, in generation order
    /// where it is fixed.
    pub tokens: Vec<u32>,
}

/// An AR step, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct StepDocument {
    /// Position of its stage in `stages`.
    pub stage: u64,
    /// How many tokens it generates, at least 1.
    pub tokens: u64,
    /// Diffusion steps of its tokens, 1 to 1000.
    pub diffusion_steps: u64,
    /// The tokens that get more, chosen when sampling by the schedule's detail rule.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_object")]
    pub detail: Option<DetailDocument>,
}

/// What a detail rule spends on a step, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepDetail")]
pub struct DetailDocument {
    /// How many of the step's tokens are picked, at least 1.
    pub tokens: u64,
    /// Their diffusion steps, 1 to 1000.
    pub diffusion_steps: u64,
}

/// A number of diffusion steps of a document.
pub(crate) fn diffusion_steps(steps: u64) -> Result<DiffusionSteps, OutOfRange> {
    DiffusionSteps::new(u32::try_from(steps).unwrap_or(u32::MAX))
}

/// A count of a document; too large a one stays too large.
pub(crate) fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl PlanDocument {
    /// Reads a document. The reader is read to at most [`MAX_PLAN_BYTES`].
    ///
    /// # Errors
    /// The violation of the rule that a plan is a JSON object of the format's fields, if it is none; of the version rule,
    /// if it is of another version.
    pub fn read(reader: impl Read) -> Result<Self, Violation> {
        let mut limited = reader.take(MAX_PLAN_BYTES + 1);
        // A reader that fails here fails again below, where it is said.
        let mut start = Vec::new();
        let _ = limited.by_ref().take(START).read_to_end(&mut start);
        let start = unmarked(&start).map_err(|error| not_a_plan("", &serde_json::Error::custom(error)))?;
        let whole = start.chain(&mut limited);
        let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(1 << 16, whole));
        let parsed = serde_path_to_error::deserialize(&mut json);
        let parsed = parsed.map_err(|error| (error.path().to_string(), error.into_inner()));
        let parsed =
            parsed.and_then(|Object(document)| json.end().map(|()| document).map_err(|error| (String::new(), error)));
        drop(json);
        if limited.limit() == 0 {
            return Err(too_large());
        }
        parsed.map_err(|(path, error)| not_a_plan(&path, &error))
    }

    /// Reads a document from text.
    ///
    /// # Errors
    /// As [`PlanDocument::read`].
    pub fn parse(text: &str) -> Result<Self, Violation> {
        Self::read(text.as_bytes())
    }

    /// The document as JSON, one line a stage and a step.
    pub fn to_json(&self) -> String {
        let lines = |values: Vec<String>| values.join(",\n    ");
        let known =
            if self.known.is_empty() { String::new() } else { format!("  \"known\": {},\n", compact(&self.known)) };
        format!(
            "{{\n  \"format_version\": {},\n  \"grid\": {},\n{known}  \"schedule\": {},\n  \"stages\": [\n    {}\n  ],\n  \"steps\": [\n    {}\n  ]\n}}\n",
            self.format_version,
            compact(&self.grid),
            compact(&self.schedule),
            lines(self.stages.iter().map(compact).collect()),
            lines(self.steps.iter().map(compact).collect()),
        )
    }
}

/// JSON of a part of a plan; the parts hold nothing that JSON cannot.
fn compact(part: &impl Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}

/// The violation of a file that is too large to be a plan.
fn too_large() -> Violation {
    Violation {
        rule: Rule::Document,
        place: "the file".to_owned(),
        found: format!("more than {MAX_PLAN_BYTES} bytes"),
        expected: format!("at most {} MB", MAX_PLAN_BYTES >> 20),
    }
}

/// The violation of what is no plan document.
fn not_a_plan(path: &str, error: &serde_json::Error) -> Violation {
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
