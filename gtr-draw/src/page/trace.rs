//! The page of a trace.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gtr_core::{Plan, PlanDocument, Summary, TokenIndex};
use serde::Serialize;

use super::plan::Evaluations;
use super::{check, page};
use crate::Error;

pub(super) const SCRIPT: &str = include_str!("assets/trace.js");

/// A run, as it was recorded: what the page is given, and what is printed as JSON.
#[derive(Debug, Serialize)]
pub struct TraceData {
    /// What is told of the run: names and texts.
    pub run: Vec<(&'static str, String)>,
    /// The plan that was run.
    pub plan: PlanDocument,
    /// What can be read off it.
    pub summary: Summary,
    /// Evaluations of the head in each of its AR steps.
    pub evaluations: Vec<Evaluations>,
    /// The batches that images were made in.
    pub batches: Vec<TraceBatch>,
    /// The images that are shown.
    pub images: Vec<TraceImage>,
    /// Images of the trace that are not among these.
    pub left_out: usize,
}

/// What the images of a batch share.
#[derive(Debug, Serialize)]
pub struct TraceBatch {
    /// Its AR steps, in order.
    pub steps: Vec<TraceStep>,
}

/// An AR step of a batch.
#[derive(Debug, Serialize)]
pub struct TraceStep {
    /// The scale of guidance.
    pub guidance: f64,
    /// How long it took; none where that was not recorded.
    pub seconds: Option<f64>,
}

/// An image of a trace.
#[derive(Debug, Serialize)]
pub struct TraceImage {
    /// Its number, as text: numbers of a script are exact only up to 2^53.
    pub image: String,
    /// Its class; none where it was asked for by a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// Position of its batch.
    pub batch: usize,
    /// Its tokens in the order in which they were generated.
    pub order: Vec<TokenIndex>,
    /// The score of each token, in the order in which they were generated; none where the rule has none.
    pub scores: Option<Vec<f64>>,
    /// The tokens picked for detail, ascending.
    pub picked: Vec<TokenIndex>,
    /// The finished picture as a PNG file.
    #[serde(serialize_with = "as_url", skip_serializing_if = "Option::is_none")]
    pub picture: Option<Vec<u8>>,
}

impl TraceData {
    /// What can be read off the plan.
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

/// Refuses a plan that no page shows, before a trace is read for it.
///
/// # Errors
/// [`Error::GridTooLarge`].
pub fn check_trace(plan: &Plan) -> Result<(), Error> {
    check(plan.grid())
}

/// The page of a run.
pub fn trace(title: &str, data: &TraceData) -> String {
    page(title, SCRIPT, data)
}

#[expect(clippy::ref_option, reason = "what serde asks for")]
fn as_url<S: serde::Serializer>(picture: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let url = |png: &Vec<u8>| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    picture.as_ref().map(url).serialize(serializer)
}
