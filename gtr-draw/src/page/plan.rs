//! Page of a plan, or of several plans side by side.

use gtr_core::{ImageIndex, Plan, PlanDocument, Seed, Step, Summary, TokenIndex};
use serde::Serialize;

use super::{check, page};
use crate::Error;
use crate::config_text::config_text;
use crate::gaps::{gaps, is_measured};
use crate::loss::FieldLoss;
use crate::step_axes::{complete_steps, strengths};

pub(super) const SCRIPT: &str = include_str!("assets/plan.js");

/// Largest number of plans side by side.
const MOST: usize = 4;

/// Data of the script.
#[derive(Serialize)]
struct Data {
    // As text, because numbers in JavaScript are exact only up to 2^53.
    seed: String,
    image: String,
    plans: Vec<Side>,
}

/// A plan with the values that are computed here for the script.
#[derive(Serialize)]
struct Side {
    name: String,
    plan: PlanDocument,
    /// Order of the tokens of the image.
    order: Vec<TokenIndex>,
    /// Name of each axis, and its configuration as text.
    axes: Vec<(&'static str, String)>,
    summary: Summary,
    evaluations: Vec<Evaluations>,
    /// Guidance of each step, as a share of its full strength.
    guidance: Vec<f64>,
    /// Whether each step computes the whole transformer, if the plan reuses results of earlier steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<Vec<bool>>,
    /// Largest gap after each step in cells; `None` if it was not measured.
    gaps: Vec<Option<f64>>,
    /// Loss on the image, if it is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<PlanLoss>,
}

/// Loss of a plan on the image, in nats.
#[derive(Serialize)]
struct PlanLoss {
    field: String,
    total: f64,
    /// Loss of each AR step.
    steps: Vec<f64>,
    /// Loss of each token of the grid.
    tokens: Vec<f64>,
}

/// Numbers of evaluations of the diffusion head in an AR step.
#[derive(Debug, Serialize)]
pub struct Evaluations {
    /// For a token without detail.
    plain: usize,
    /// For a token with detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<usize>,
    /// Sequential evaluations of the step.
    head: usize,
}

/// A plan of a page.
#[derive(Clone, Debug)]
pub struct PlanPage {
    /// Display name of the plan.
    pub name: String,
    /// The plan. Its grid must have at most 128 rows and columns.
    pub plan: Plan,
    /// Loss of the plan on the image, if it is computed.
    pub loss: Option<FieldLoss>,
}

/// Returns a self-contained HTML page of one or more plans side by side, with the order of one image.
///
/// # Errors
/// [`Error::TooManyPlans`] for more than four plans, [`Error::GridTooLarge`] for a grid of more than 128 rows or columns,
/// [`Error::Plan`] for a plan whose order is decided while sampling.
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
        plans: plans.iter().map(|it| Side::new(it, (seed, image))).collect::<Result<_, _>>()?,
    };
    Ok(page(title, SCRIPT, &data))
}

impl Side {
    fn new(PlanPage { name, plan, loss }: &PlanPage, order: (Seed, ImageIndex)) -> Result<Self, Error> {
        let mut after_steps = vec![None; plan.steps().len()];
        for gap in gaps(plan, order, |step| is_measured(plan, step))? {
            after_steps[gap.ar_step - 1] = gap.largest_gap;
        }
        Ok(Self {
            name: name.clone(),
            plan: plan.to_document(),
            order: plan.order(order.0, order.1)?,
            axes: plan.schedule().axes().map(|(axis, config)| (axis.as_str(), config_text(config))).collect(),
            summary: plan.summary(),
            evaluations: plan.steps().iter().map(|step| Evaluations::of(plan, step)).collect(),
            guidance: strengths(plan),
            complete: complete_steps(plan),
            gaps: after_steps,
            loss: loss.as_ref().map(PlanLoss::of),
        })
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
