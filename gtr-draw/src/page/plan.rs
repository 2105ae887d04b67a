//! The page of a plan, or of several side by side.

use gtr_core::{AxisName, Guidance, GuidanceSchedule, ImageIndex, Plan, PlanDocument, Seed, Step, Summary, TokenIndex};
use serde::Serialize;

use super::{check, page};
use crate::Error;
use crate::config_text::config_text;
use crate::gaps::{gaps, is_measured};
use crate::loss::FieldLoss;

pub(super) const SCRIPT: &str = include_str!("assets/plan.js");

/// More plans than this do not fit side by side.
const MOST: usize = 4;

/// What the script is given.
#[derive(Serialize)]
struct Data {
    // As text: numbers of a script are exact only up to 2^53.
    seed: String,
    image: String,
    plans: Vec<Side>,
}

/// A plan, and what can be read off it but not easily by the script.
#[derive(Serialize)]
struct Side {
    name: String,
    plan: PlanDocument,
    /// The order of the image.
    order: Vec<TokenIndex>,
    /// The choice on each axis, in words.
    axes: Vec<(&'static str, String)>,
    summary: Summary,
    evaluations: Vec<Evaluations>,
    /// The guidance of each step, as a share of its full strength.
    guidance: Vec<f64>,
    /// The largest gap after each step; none where it was not measured.
    gaps: Vec<Option<f64>>,
    /// What the image loses, where that is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<PlanLoss>,
}

/// What a plan loses on the image, in nats.
#[derive(Serialize)]
struct PlanLoss {
    field: String,
    total: f64,
    /// Of each AR step.
    steps: Vec<f64>,
    /// Of each token of the grid.
    tokens: Vec<f64>,
}

/// Evaluations of the head in an AR step.
#[derive(Debug, Serialize)]
pub struct Evaluations {
    /// Of a token without detail.
    plain: usize,
    /// Of a token with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<usize>,
    /// That follow one another.
    head: usize,
}

/// A plan of a page.
#[derive(Clone, Debug)]
pub struct PlanPage {
    /// What it is called.
    pub name: String,
    /// The plan; its grid has at most 128 rows and columns.
    pub plan: Plan,
    /// What it loses on the image that is shown, where that is computed.
    pub loss: Option<FieldLoss>,
}

/// The page of plans, one or several side by side, with the order of one image: a file that asks for no other.
///
/// # Errors
/// [`Error::TooManyPlans`] for more than four, [`Error::GridTooLarge`].
///
/// # Examples
/// ```
/// use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
/// use gtr_draw::page::{PlanPage, plans};
///
/// let plan = preset::find("gtr-16")?.schedule.plan(Grid::new(8, 8)?, &Registry::builtin())?.plan;
/// let side = PlanPage { name: "gtr-16".to_owned(), plan, loss: None };
/// let html = plans("gtr-16 on 8x8", &[side], (Seed(0), ImageIndex(0)))?;
/// assert!(html.starts_with("<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plans(title: &str, plans: &[PlanPage], (seed, image): (Seed, ImageIndex)) -> Result<String, Error> {
    if plans.len() > MOST {
        return Err(Error::TooManyPlans { found: plans.len(), most: MOST });
    }
    plans.iter().try_for_each(|it| check(it.plan.grid()))?;
    let data = Data {
        seed: seed.to_string(),
        image: image.to_string(),
        plans: plans.iter().map(|it| Side::new(it, (seed, image))).collect(),
    };
    Ok(page(title, SCRIPT, &data))
}

impl Side {
    fn new(PlanPage { name, plan, loss }: &PlanPage, order: (Seed, ImageIndex)) -> Self {
        let mut after_steps = vec![None; plan.steps().len()];
        for gap in gaps(plan, order, |step| is_measured(plan, step)) {
            after_steps[gap.ar_step - 1] = gap.largest_gap;
        }
        Self {
            name: name.clone(),
            plan: plan.to_document(),
            order: plan.order(order.0, order.1),
            axes: AxisName::ALL.map(|axis| (axis.as_str(), config_text(plan.schedule().axis(axis)))).to_vec(),
            summary: plan.summary(),
            evaluations: plan.steps().iter().map(|step| Evaluations::of(plan, step)).collect(),
            guidance: guidance(plan),
            gaps: after_steps,
            loss: loss.as_ref().map(PlanLoss::of),
        }
    }
}

impl PlanLoss {
    fn of(FieldLoss { loss, field }: &FieldLoss) -> Self {
        Self { field: field.clone(), total: loss.total, steps: loss.steps.clone(), tokens: loss.tokens.clone() }
    }
}

impl Evaluations {
    pub(super) fn of(plan: &Plan, step: &Step) -> Self {
        Self {
            plain: plan.evaluations(step.diffusion_steps()),
            detail: step.detail().map(|detail| plan.evaluations(detail.diffusion_steps)),
            head: plan.head_evaluations(step),
        }
    }
}

/// The linear ramp, as a share of the scale at full strength: what lies above 1 of a scale of 2.
fn guidance(plan: &Plan) -> Vec<f64> {
    let Ok(ramp) = Guidance::new(2.0, GuidanceSchedule::Linear) else { return Vec::new() };
    let tokens = plan.grid().tokens();
    let mut known = plan.known().len();
    let after = plan.steps().iter().map(|step| {
        known += step.tokens();
        ramp.at(tokens, tokens - known) - 1.0
    });
    after.collect()
}
