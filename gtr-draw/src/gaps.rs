//! Largest gap between the known tokens after AR steps.

use gtr_core::{ImageIndex, Plan, Seed, Spread, TokenSet};
use serde::Serialize;

use crate::Error;

/// Largest gap after an AR step.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// AR step, counted from 1.
    pub ar_step: usize,
    /// Largest distance from a cell of the grid to the nearest known token, in cells.
    pub largest_gap: Option<f64>,
}

/// Returns true for the AR steps of a short summary: powers of two, and the last step.
pub fn is_landmark(plan: &Plan, step: usize) -> bool {
    step.is_power_of_two() || step == plan.steps().len()
}

/// Returns true if the gap after an AR step is measured: after every step of a small plan, after the landmarks of a large one.
pub fn is_measured(plan: &Plan, step: usize) -> bool {
    const WORK: usize = 1 << 26;
    plan.steps().len().saturating_mul(plan.grid().tokens()) <= WORK || is_landmark(plan, step)
}

/// Returns the gaps after the AR steps that `shown` selects, for the order of an image.
///
/// # Errors
/// [`Error::Plan`] if the order is decided while sampling.
pub fn gaps(plan: &Plan, (seed, image): (Seed, ImageIndex), shown: impl Fn(usize) -> bool) -> Result<Vec<Gap>, Error> {
    let order = plan.order(seed, image)?;
    let mut tokens = TokenSet::from_tokens(plan.grid(), plan.known().iter().copied());
    let mut taken = 0;
    let mut gaps = Vec::new();
    for (ar_step, step) in (1..).zip(plan.steps()) {
        for &token in &order[taken..taken + step.tokens()] {
            tokens.insert(token);
        }
        taken += step.tokens();
        if shown(ar_step) {
            gaps.push(Gap { ar_step, largest_gap: Spread::of(&tokens).covering_radius });
        }
    }
    Ok(gaps)
}
