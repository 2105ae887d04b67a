//! What the paper says that its schedules cost.

use serde::Serialize;

/// A row of the paper's table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PublishedCost {
    /// Operations of an image, in units of 10^12, where they are given.
    pub tera: Option<f64>,
    /// How many times cheaper than 64 steps of the same model.
    pub speed: f64,
    /// Whether the figure and the schedule that the paper describes fit together.
    pub fits: bool,
}

/// A figure of each model, where there is one.
type Column = [Option<f64>; 3];

/// The presets of the paper's table, the models in its order, and its figures.
///
/// The last two rows do not fit. The table has them beside 16 and 8 AR steps, but the published rates make 32, which cost
/// more than the published speed says; which rates make 8 is not published, those of `gtr-8` are ours.
#[expect(clippy::approx_constant, reason = "6.28 is a speed, not a circle's")]
const TABLE: &[(&str, Column, Column)] = &[
    ("mar-64", [Some(14.49), Some(32.75), Some(64.52)], [Some(1.0), Some(1.0), Some(1.0)]),
    ("mar-16", [None; 3], [Some(2.33), Some(2.44), Some(2.38)]),
    ("mar-8", [None; 3], [Some(2.99), Some(3.21), Some(3.09)]),
    ("halton-16", [None; 3], [Some(2.33), Some(2.44), Some(2.38)]),
    ("halton-8", [None; 3], [Some(2.99), Some(3.21), Some(3.09)]),
    ("disa-24", [None; 3], [Some(3.01), Some(2.97), Some(2.99)]),
    ("disa-16", [None; 3], [Some(4.19), Some(4.17), Some(4.18)]),
    (UNFIT[0], [None; 3], [Some(3.74), Some(3.71), Some(3.72)]),
    (UNFIT[1], [None; 3], [Some(6.33), Some(6.32), Some(6.28)]),
];
const MODELS: [&str; 3] = ["mar-b", "mar-l", "mar-h"];
const UNFIT: [&str; 2] = ["gtr-paper", "gtr-8"];

/// What the paper says that a preset costs on a model, if it does.
///
/// # Source
/// GtR (arXiv 2510.17171), table 1. Its speed column is the ratio of the operations.
pub fn published_cost(model: &str, preset: &str) -> Option<PublishedCost> {
    let column = MODELS.iter().position(|name| *name == model)?;
    let (name, tera, speed) = TABLE.iter().find(|(name, ..)| *name == preset)?;
    Some(PublishedCost { tera: tera[column], speed: speed[column]?, fits: !UNFIT.contains(name) })
}
