//! The page of a trace.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gtr_core::{Plan, PlanDocument, Summary, TokenIndex};
use serde::Serialize;

use super::plan::Evaluations;
use super::{check, page};
use crate::error::CliError;

pub(super) const SCRIPT: &str = include_str!("assets/trace.js");

/// A run, as it was recorded: what the page is given, and what is printed as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct TraceData {
    /// What is told of the run: names and texts.
    pub(crate) run: Vec<(&'static str, String)>,
    pub(crate) plan: PlanDocument,
    pub(crate) summary: Summary,
    pub(crate) evaluations: Vec<Evaluations>,
    pub(crate) batches: Vec<TraceBatch>,
    pub(crate) images: Vec<TraceImage>,
    /// Images of the trace that are not among these.
    pub(crate) left_out: usize,
}

/// What the images of a batch share.
#[derive(Debug, Serialize)]
pub(crate) struct TraceBatch {
    pub(crate) steps: Vec<TraceStep>,
}

/// An AR step of a batch.
#[derive(Debug, Serialize)]
pub(crate) struct TraceStep {
    pub(crate) guidance: f64,
    /// How long it took; none where that was not recorded.
    pub(crate) seconds: Option<f64>,
}

/// An image of a trace.
#[derive(Debug, Serialize)]
pub(crate) struct TraceImage {
    // As text: numbers of a script are exact only up to 2^53.
    pub(crate) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<u32>,
    /// Position of its batch.
    pub(crate) batch: usize,
    pub(crate) order: Vec<TokenIndex>,
    /// The score of each token, in the order in which they were generated; none where the rule has none.
    pub(crate) scores: Option<Vec<f64>>,
    /// The tokens picked for detail, ascending.
    pub(crate) picked: Vec<TokenIndex>,
    /// The finished picture as a PNG file.
    #[serde(serialize_with = "as_url", skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<Vec<u8>>,
}

impl TraceData {
    /// What can be read off the plan.
    pub(crate) fn new(run: Vec<(&'static str, String)>, plan: &Plan) -> Self {
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
pub(crate) fn check_trace(plan: &Plan) -> Result<(), CliError> {
    check(plan.grid())
}

/// The page of a run.
pub(crate) fn trace(title: &str, data: &TraceData) -> String {
    page(title, SCRIPT, data)
}

#[expect(clippy::ref_option, reason = "what serde asks for")]
fn as_url<S: serde::Serializer>(picture: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let url = |png: &Vec<u8>| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    picture.as_ref().map(url).serialize(serializer)
}
