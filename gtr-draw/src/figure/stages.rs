//! Draws the legend of the stages, and a table of their spread.

use gtr_core::{Plan, StageSummary};

use super::view::PlanView;
use crate::area::Area;
use crate::palette::{GIVEN, RULE, SOFT, ramp};
use crate::svg::{Anchor, Look, Svg, Type};
use crate::table;

/// Font size in pixels.
const SIZE: f64 = 10.5;

/// Height of a line.
const LINE: f64 = 17.0;

/// Side of a colour swatch.
const PATCH: f64 = 10.0;

/// Number of columns of the table.
const COLUMNS: usize = 8;

/// Largest number of stages in the legend.
const MOST: usize = 16;

/// Draws the legend, at most `width` pixels wide. Returns the height.
pub(super) fn legend(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), width: f64) -> f64 {
    let set = Type::new(SIZE);
    if !shown.is_staged() {
        return scale(svg, shown, (left, top), width);
    }
    let stages = shown.plan.stages();
    let mut entries: Vec<_> = stages
        .iter()
        .enumerate()
        .take(MOST)
        .map(|(position, stage)| (Some(PlanView::stage_colour(position)), format!("{} {}", position + 1, stage.role())))
        .collect();
    if stages.len() > MOST {
        entries.push((None, format!("and {}", gtr_core::count(stages.len() - MOST, "more stage"))));
    }
    if !shown.plan.known().is_empty() {
        entries.push((Some(GIVEN), "known before".to_owned()));
    }
    let (mut x, mut y) = (left, top);
    for (colour, text) in entries {
        let wide = PATCH + 5.0 + set.width(&text);
        if x > left && x + wide > left + width {
            (x, y) = (left, y + LINE);
        }
        if let Some(colour) = colour {
            svg.rect(Area::new(x, y, PATCH, PATCH), Look::fill(colour));
        }
        svg.text((x + PATCH + 5.0, y + PATCH / 2.0 + set.drop()), &text, set);
        x += wide + 14.0;
    }
    y + LINE - top
}

/// Draws the colour scale of the AR steps of a plan with one stage. Returns the height.
fn scale(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), width: f64) -> f64 {
    let set = Type::new(SIZE);
    let steps = shown.plan.steps().len();
    let (first, last) = ("AR step 1".to_owned(), steps.to_string());
    svg.text((left, top + PATCH / 2.0 + set.drop()), &first, set);
    let mut x = left + set.width(&first) + 6.0;
    if steps > 1 {
        let parts = steps.min(32);
        let wide = ((width - 120.0) / 32.0).clamp(1.0, 5.0);
        for part in 0..parts {
            #[expect(clippy::cast_precision_loss, reason = "at most 32")]
            let share = part as f64 / (parts - 1) as f64;
            svg.rect(Area::new(x, top, wide + 0.3, PATCH), Look::fill(ramp(share)));
            x += wide;
        }
        svg.text((x + 6.0, top + PATCH / 2.0 + set.drop()), &last, set);
        x += 6.0 + set.width(&last) + 16.0;
    }
    if !shown.plan.known().is_empty() {
        svg.rect(Area::new(x, top, PATCH, PATCH), Look::fill(GIVEN));
        svg.text((x + PATCH + 5.0, top + PATCH / 2.0 + set.drop()), "known before", set);
    }
    LINE
}

/// Returns the height of the table.
#[expect(clippy::cast_precision_loss, reason = "at most 64 stages")]
pub(super) fn height(plan: &Plan) -> f64 {
    LINE * (plan.stages().len() as f64 + 2.0) + 8.0
}

/// Draws the table, as wide as its columns, at most `width` pixels.
pub(super) fn table(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), width: f64) {
    let heads: [[&str; 2]; COLUMNS] = [
        ["", "stage"],
        ["", "tokens"],
        ["closest", "pair"],
        ["largest", "gap"],
        ["mean", "gap"],
        ["AR", "steps"],
        ["diffusion", "steps"],
        ["", "in detail"],
    ];
    let summary = shown.plan.summary();
    let rows: Vec<_> = summary.stages.iter().enumerate().map(|(position, stage)| row(position, stage)).collect();
    let set = Type::new(SIZE);
    let wide = |column: usize| {
        let texts = rows.iter().map(|row| row[column].as_str()).chain(heads[column]);
        texts.map(|text| set.width(text)).fold(0.0, f64::max)
    };
    let widths: [f64; COLUMNS] = std::array::from_fn(wide);
    let space = width - widths.iter().sum::<f64>() - PATCH - 6.0;
    let gap = (space / 7.0).clamp(6.0, 26.0);
    let mut rights = [0.0; COLUMNS];
    let mut x = left + PATCH + 6.0;
    for (right, wide) in rights.iter_mut().zip(widths) {
        x += wide;
        *right = x;
        x += gap;
    }
    let end = rights[COLUMNS - 1];
    let soft = set.colour(SOFT);
    for (line, y) in [(0, top + 10.0), (1, top + 10.0 + 13.0)] {
        for (column, head) in heads.iter().enumerate() {
            cell(svg, column, (left, rights[column], y), head[line], soft);
        }
    }
    let mut y = top + LINE * 1.7;
    svg.line((left, y), (end, y), Look::stroke(SOFT, 0.8));
    for (position, row) in rows.iter().enumerate() {
        y += LINE;
        if shown.is_staged() {
            svg.rect(
                Area::new(left, y - PATCH - 3.0 + 0.5, PATCH, PATCH),
                Look::fill(PlanView::stage_colour(position)),
            );
        }
        for (column, text) in row.iter().enumerate() {
            cell(svg, column, (left, rights[column], y - 4.0), text, set);
        }
        svg.line((left, y + 1.0), (end, y + 1.0), Look::stroke(RULE, 0.8));
    }
}

/// Draws a cell. The first column is left-aligned after the swatches, the others are right-aligned.
fn cell(svg: &mut Svg, column: usize, (left, right, y): (f64, f64, f64), text: &str, set: Type) {
    if text.is_empty() {
    } else if column == 0 {
        svg.text((left + PATCH + 6.0, y), text, set);
    } else {
        svg.text((right, y), text, set.anchor(Anchor::End));
    }
}

fn row(position: usize, stage: &StageSummary) -> [String; COLUMNS] {
    let detail = stage.detail.map(|detail| format!("{} at {}", detail.tokens, detail.diffusion_steps));
    let mut cells = table::stage(position, stage).into_iter().chain([detail.unwrap_or_else(|| "-".to_owned())]);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}
