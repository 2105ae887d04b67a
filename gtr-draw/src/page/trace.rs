//! Page of a trace.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gtr_core::{Plan, PlanDocument, Summary, TokenIndex};
use serde::Serialize;

use super::plan::Evaluations;
use super::{check, page};
use crate::Error;

pub(super) const SCRIPT: &str = include_str!("assets/trace.js");

/// A recorded run: data of the page, and of the JSON output.
#[derive(Debug, Serialize)]
pub struct TraceData {
    /// Properties of the run: names and texts.
    pub run: Vec<(&'static str, String)>,
    /// Plan of the run.
    pub plan: PlanDocument,
    /// Summary of the plan.
    pub summary: Summary,
    /// Evaluations of the diffusion head in each AR step.
    pub evaluations: Vec<Evaluations>,
    /// Batches in which the images were generated.
    pub batches: Vec<TraceBatch>,
    /// Images on the page.
    pub images: Vec<TraceImage>,
    /// Number of images of the trace that are not on the page.
    pub left_out: usize,
}

/// A batch of images.
#[derive(Debug, Serialize)]
pub struct TraceBatch {
    /// AR steps of the batch, in order.
    pub steps: Vec<TraceStep>,
}

/// An AR step of a batch.
#[derive(Debug, Serialize)]
pub struct TraceStep {
    /// Guidance scale.
    pub guidance: f64,
    /// Duration in seconds; `None` if it was not recorded.
    pub seconds: Option<f64>,
}

/// An image of a trace.
#[derive(Debug, Serialize)]
pub struct TraceImage {
    /// Image number, as text because numbers in JavaScript are exact only up to 2^53.
    pub image: String,
    /// Class; `None` if the prompt is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// Index of the batch.
    pub batch: usize,
    /// Tokens in the order of their generation.
    pub order: Vec<TokenIndex>,
    /// Score of each token, in the order of their generation; `None` if the detail rule has no scores.
    pub scores: Option<Vec<f64>>,
    /// Tokens picked for detail, ascending.
    pub picked: Vec<TokenIndex>,
    /// Finished image as a PNG file.
    #[serde(serialize_with = "as_url", skip_serializing_if = "Option::is_none")]
    pub picture: Option<Vec<u8>>,
}

impl TraceData {
    /// Creates the data of a plan, without batches and images.
    pub fn new(run: Vec<(&'static str, String)>, plan: &Plan) -> Self {
        Self {
            run,
            plan: plan.to_document(),
            summary: plan.summary(),
            evaluations: plan.steps().iter().map(|step| Evaluations::of(plan, step)).collect(),
            batches: Vec::new(),
            images: Vec::new(),
            left_out: 0,
        }
    }
}

/// Checks, before a trace is read, that its plan can be shown on a page.
///
/// # Errors
/// [`Error::GridTooLarge`] for a grid of more than 128 rows or columns.
pub fn check_trace(plan: &Plan) -> Result<(), Error> {
    check(plan.grid())
}

/// Returns the HTML page of a run.
pub fn trace(title: &str, data: &TraceData) -> String {
    page(title, SCRIPT, data)
}

#[expect(clippy::ref_option, reason = "the signature that serde requires")]
fn as_url<S: serde::Serializer>(picture: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let url = |png: &Vec<u8>| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    picture.as_ref().map(url).serialize(serializer)
}
