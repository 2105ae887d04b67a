//! Draws the known tokens after AR steps as small maps.

use gtr_core::float;

use super::view::PlanView;
use crate::area::Area;
use crate::palette::{BLANK, Colour, GIVEN};
use crate::svg::{Anchor, Look, Path, Svg, Type};

/// Largest total number of cells of all maps.
const MOST_CELLS: usize = 48_000;

/// Largest number of maps.
const MOST_MAPS: usize = 33;

/// Share of the background in the colour of tokens of earlier AR steps.
const OLD: f64 = 0.62;

/// Smallest and largest side of a map, in pixels.
const LEAST: f64 = 58.0;
const MOST: f64 = 128.0;

/// Space between maps.
const GAP: f64 = 12.0;

/// Smallest width for the caption of a map.
const NARROW: f64 = 34.0;

/// Height of the caption below a map.
const CAPTION: f64 = 15.0;

/// Maps in rows and columns.
#[derive(Debug)]
pub(super) struct Growth {
    /// AR steps after which a map is drawn.
    steps: Vec<usize>,
    /// Side of a cell, in pixels.
    side: f64,
    columns: usize,
    rows: usize,
}

impl Growth {
    /// Arranges at most `most` maps of a plan in a width.
    pub(super) fn new(shown: &PlanView<'_>, width: f64, most: usize) -> Self {
        let (high, wide) = shown.window();
        let cells = high as usize * wide as usize;
        let steps = chosen(shown, most.min(MOST_MAPS).min((MOST_CELLS / cells).max(1)));
        let columns = places(width, f64::from(wide) * (LEAST / f64::from(high.max(wide))).round().max(2.0));
        let rows = steps.len().div_ceil(columns).max(1);
        let columns = steps.len().div_ceil(rows).max(1);
        // As large as the width allows, in half pixels, which are whole pixels of the PNG file.
        let side = ((width + GAP) / float(columns) - GAP) / f64::from(wide);
        let side = (2.0 * side.min(MOST / f64::from(high.max(wide)))).floor().max(2.0) / 2.0;
        Self { steps, side, columns, rows }
    }

    /// Returns the height of all maps.
    pub(super) fn height(&self, shown: &PlanView<'_>) -> f64 {
        float(self.rows) * (f64::from(shown.window().0) * self.side + CAPTION + GAP) - GAP
    }

    /// Returns the title of the panel.
    pub(super) fn title(&self, shown: &PlanView<'_>) -> String {
        let all = shown.plan.steps().len();
        if self.steps.len() == all {
            return "Known after each AR step".to_owned();
        }
        format!("Known after {} of {}", self.steps.len(), gtr_core::count(all, "AR step"))
    }

    /// Draws the maps.
    pub(super) fn draw(&self, svg: &mut Svg, shown: &PlanView<'_>, area: Area) {
        let (high, wide) = shown.window();
        let (height, width) = (f64::from(high) * self.side, f64::from(wide) * self.side);
        let known = shown.known();
        // Rows fill the width, unless they have few maps.
        let across = ((area.width - width) / float((self.columns - 1).max(1))).min(width.max(NARROW) + 3.0 * GAP);
        svg.group("growth", Look::default(), |svg| {
            for (place, &step) in self.steps.iter().enumerate() {
                let (column, row) = (place % self.columns, place / self.columns);
                let left = area.left + ((NARROW - width) / 2.0).max(0.0) + float(column) * across;
                let top = area.top + float(row) * (height + CAPTION + GAP);
                self.map(svg, shown, Area::new(left, top, width, height), step);
                let percent = 100.0 * float(known[step]) / float(shown.plan.grid().tokens());
                let set = Type::new(9.0).anchor(Anchor::Middle);
                let caption = format!("{}: {}", step + 1, share(percent));
                svg.text((left + width / 2.0, top + height + 11.0), &caption, set);
            }
        });
    }

    fn map(&self, svg: &mut Svg, shown: &PlanView<'_>, area: Area, after: usize) {
        svg.rect(area, Look::fill(BLANK));
        let (high, wide) = shown.window();
        let mut paths: Vec<(Colour, Path)> = Vec::new();
        for row in 0..high {
            let mut column = 0;
            while column < wide {
                let colour = colour(shown, row, column, after);
                let begin = column;
                while column < wide && self::colour(shown, row, column, after) == colour {
                    column += 1;
                }
                let Some(colour) = colour else { continue };
                let run = Area::new(
                    area.left + f64::from(begin) * self.side,
                    area.top + f64::from(row) * self.side,
                    f64::from(column - begin) * self.side,
                    self.side,
                );
                let place = paths.iter().position(|(it, _)| *it == colour).unwrap_or_else(|| {
                    paths.push((colour, Path::default()));
                    paths.len() - 1
                });
                paths[place].1.rect(run);
            }
        }
        for (colour, path) in paths {
            svg.path(&path, Look::fill(colour));
        }
    }
}

/// Returns the number of maps of width `map` that fit side by side.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn places(width: f64, map: f64) -> usize {
    (((width + GAP) / (map.max(NARROW) + GAP)).floor() as usize).max(1)
}

/// Returns the colour of a cell after an AR step; `None` if its token is not known yet.
fn colour(shown: &PlanView<'_>, row: u32, column: u32, after: usize) -> Option<Colour> {
    let Some(step) = shown.step_at(row, column) else { return Some(GIVEN) };
    let colour = PlanView::stage_colour(shown.plan.steps()[step].stage());
    match step.cmp(&after) {
        std::cmp::Ordering::Less => Some(colour.pale(OLD)),
        std::cmp::Ordering::Equal => Some(colour),
        std::cmp::Ordering::Greater => None,
    }
}

/// Returns the AR steps to show: all, or the last of each stage, the first, and others evenly spaced between them.
fn chosen(shown: &PlanView<'_>, most: usize) -> Vec<usize> {
    let steps = shown.plan.steps().len();
    if steps <= most {
        return (0..steps).collect();
    }
    let ends = shown.spans().iter().map(|(first, count)| first + count - 1);
    let mut chosen: Vec<usize> = ends.rev().take(most).collect();
    let others = most - chosen.len();
    // Halve the widest gap until `most` steps are chosen.
    for _ in 0..others {
        chosen.sort_unstable();
        if chosen[0] > 0 {
            chosen.push(0);
            continue;
        }
        let gaps = chosen.windows(2).map(|pair| (pair[1] - pair[0], pair[0]));
        let Some((gap, from)) = gaps.reduce(|a, b| if b.0 > a.0 { b } else { a }) else { break };
        chosen.push(from + gap / 2);
    }
    chosen.sort_unstable();
    chosen
}

/// Formats a percentage, without decimals from 1 % up.
fn share(percent: f64) -> String {
    match percent {
        0.95.. => format!("{percent:.0} %"),
        0.05.. => format!("{percent:.1} %"),
        _ => "< 0.1 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use gtr_core::{ImageIndex, Seed};

    use super::super::view::tests::plan;
    use super::*;

    #[test]
    fn few_steps_are_all_shown_and_many_chosen() {
        let plan = plan("gtr-paper", "16x16", 0);
        let shown = PlanView::new("gtr-paper", &plan, (Seed(0), ImageIndex(0))).unwrap();
        assert_eq!(chosen(&shown, 40), (0..32).collect::<Vec<_>>());
        assert_eq!(chosen(&shown, 8), [0, 5, 8, 11, 17, 23, 29, 31]);
        assert_eq!(chosen(&shown, 2), [29, 31]);
        assert_eq!(chosen(&shown, 1), [31]);
    }
}
