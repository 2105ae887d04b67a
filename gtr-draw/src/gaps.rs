//! The largest gap between the tokens that are known after AR steps.

use gtr_core::{ImageIndex, Plan, Seed, Spread, TokenSet};
use serde::Serialize;

/// The largest gap after an AR step.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// The AR step, from 1.
    pub ar_step: usize,
    /// The greatest distance from a cell of the grid to the nearest token that is known.
    pub largest_gap: Option<f64>,
}

/// AR steps that stand for all: powers of two, and the last.
pub fn is_landmark(plan: &Plan, step: usize) -> bool {
    step.is_power_of_two() || step == plan.steps().len()
}

/// Every AR step, unless measuring them all would take long.
pub fn is_measured(plan: &Plan, step: usize) -> bool {
    const WORK: usize = 1 << 26;
    plan.steps().len().saturating_mul(plan.grid().tokens()) <= WORK || is_landmark(plan, step)
}

/// The gaps after the AR steps that are `shown`, in the order of an image.
pub fn gaps(plan: &Plan, (seed, image): (Seed, ImageIndex), shown: impl Fn(usize) -> bool) -> Vec<Gap> {
    let order = plan.order(seed, image);
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
    gaps
}
