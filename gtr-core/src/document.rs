//! The unchecked JSON form of a plan.

use std::io::Read;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::json_object::{Object, maybe_object, object, objects};
use crate::{DiffusionSteps, Grid, GridError, OutOfRange, Role, Rule, Schedule, StepAxes, Violation, unmarked};

/// Maximum size of a plan file in bytes. Reading stops at this size.
pub const MAX_PLAN_BYTES: u64 = 64 << 20;
/// Number of bytes from which the encoding is detected.
const START: u64 = 4;

/// Content of a plan file, unchecked. [`crate::verify`] checks it; only a valid document can be converted to a
/// [`crate::Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Plan")]
pub struct PlanDocument {
    /// Format version: 3 if the schedule sets an optional axis or its order is decided while sampling, otherwise 2 if tokens
    /// are known, otherwise 1.
    pub format_version: u64,
    /// The token grid.
    #[serde(deserialize_with = "object")]
    pub grid: GridDocument,
    /// Tokens that are known before the first step, ascending. They are in no stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<u32>,
    /// Schedule from which the plan was created.
    #[serde(deserialize_with = "object")]
    pub schedule: Schedule,
    /// Stages, in generation order.
    #[serde(deserialize_with = "objects")]
    pub stages: Vec<StageDocument>,
    /// AR steps, in order. Each step generates the next tokens of its stage.
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
    /// Checks the grid.
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
    /// Role of the stage.
    pub role: Role,
    /// Tokens (row * width + column): in generation order if the list determines it, otherwise ascending.
    pub tokens: Vec<u32>,
}

/// An AR step, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct StepDocument {
    /// Index of the stage in `stages`, from 0.
    pub stage: u64,
    /// Number of tokens that the step generates, at least 1.
    pub tokens: u64,
    /// Number of diffusion steps per token, 1 to 1000.
    pub diffusion_steps: u64,
    /// Tokens with extra diffusion steps, which the detail rule of the schedule picks during sampling.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_object")]
    pub detail: Option<DetailDocument>,
    /// Data of optional axes.
    #[serde(default, skip_serializing_if = "StepAxes::is_empty", deserialize_with = "object")]
    pub axes: StepAxes,
}

/// Detail of a step, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepDetail")]
pub struct DetailDocument {
    /// Number of picked tokens, at least 1.
    pub tokens: u64,
    /// Number of diffusion steps per picked token, 1 to 1000.
    pub diffusion_steps: u64,
}

/// Converts a number of diffusion steps of a document.
pub(crate) fn diffusion_steps(steps: u64) -> Result<DiffusionSteps, OutOfRange> {
    DiffusionSteps::new(u32::try_from(steps).unwrap_or(u32::MAX))
}

/// Converts a count of a document; saturates at `usize::MAX`.
pub(crate) fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl PlanDocument {
    /// Reads a document. Stops after [`MAX_PLAN_BYTES`] bytes.
    ///
    /// # Errors
    /// Returns a violation of [`Rule::Document`] if the input is too large or not a JSON object with the fields of the
    /// format.
    pub fn read(reader: impl Read) -> Result<Self, Violation> {
        let mut limited = reader.take(MAX_PLAN_BYTES + 1);
        // If the reader fails here, it fails again below, where the error is returned.
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

    /// Parses a document.
    ///
    /// # Errors
    /// See [`PlanDocument::read`].
    pub fn parse(text: &str) -> Result<Self, Violation> {
        Self::read(text.as_bytes())
    }

    /// Formats the document as JSON, with one line per stage and per step.
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

/// Formats a part of a plan as JSON. This cannot fail, because all parts are representable in JSON.
fn compact(part: &impl Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}

/// Creates the violation for a file that is too large.
fn too_large() -> Violation {
    Violation {
        rule: Rule::Document,
        place: "the file".to_owned(),
        found: format!("more than {MAX_PLAN_BYTES} bytes"),
        expected: format!("at most {} MB", MAX_PLAN_BYTES >> 20),
    }
}

/// Creates the violation for text that is not a plan document.
fn not_a_plan(path: &str, error: &serde_json::Error) -> Violation {
    let place: String = match path {
        "" | "." => "the document".to_owned(),
        path if path.len() > 80 => path.chars().take(80).chain("...".chars()).collect(),
        path => path.to_owned(),
    };
    let found: String = error.to_string().chars().take(200).collect();
    // Syntax errors name what the parser expected, not the plan format.
    let found = if error.is_data() { found } else { format!("text that is not JSON ({found})") };
    let expected = "a JSON object with the fields of the plan format".to_owned();
    Violation { rule: Rule::Document, place, found, expected }
}
