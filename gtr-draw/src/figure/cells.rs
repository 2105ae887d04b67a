//! Draws the grid with one cell per token, which shows the AR step that generates it.

use std::collections::BTreeMap;

use super::view::PlanView;
use crate::area::Area;
use crate::palette::{GIVEN, INK, PAPER};
use crate::svg::{Anchor, Look, Svg, Type};

/// Smallest legible font size, in pixels.
const LEAST: f64 = 4.0;

/// Returns the side of a cell in pixels. Cells of small grids are larger.
pub(super) fn side(shown: &PlanView<'_>) -> f64 {
    let (rows, columns) = shown.window();
    let cells = f64::from(rows.max(columns));
    ((360.0 + 7.0 * cells) / cells).min(40.0).floor()
}

/// Returns the side of a cell in pixels, such that the grid is at most `width` pixels wide if cells of 8 pixels allow it.
pub(super) fn side_within(shown: &PlanView<'_>, width: f64) -> f64 {
    (width / f64::from(shown.window().1)).clamp(8.0, 48.0).floor()
}

/// Returns width and height of the grid for a side of its cells.
pub(super) fn size(shown: &PlanView<'_>, side: f64) -> (f64, f64) {
    let (rows, columns) = shown.window();
    (f64::from(columns) * side, f64::from(rows) * side)
}

/// Draws the grid at its upper left corner. Returns true if the cells have room for the numbers of the steps.
pub(super) fn draw(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), side: f64) -> bool {
    let (rows, columns) = shown.window();
    let mut given = Vec::new();
    let mut cells: BTreeMap<usize, Vec<Area>> = BTreeMap::new();
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let corner = (left + f64::from(column) * side, top + f64::from(row) * side);
        // A narrow gap between the cells.
        let cell = Area::new(corner.0, corner.1, side, side).inside([0.5; 4]);
        match shown.step_at(row, column) {
            Some(step) => cells.entry(step).or_default().push(cell),
            None => given.push(cell),
        }
    }
    let radius = (side * 0.08).min(2.0);
    let letters = letters(shown, side);
    svg.group("cells", Look::default(), |svg| {
        if !given.is_empty() {
            svg.rects("known", given, Look::fill(GIVEN), radius);
        }
        for (&step, areas) in &cells {
            svg.rects(
                &format!("step-{}", step + 1),
                areas.iter().copied(),
                Look::fill(shown.step_colour(step)),
                radius,
            );
        }
    });
    if let Some(size) = letters {
        numbers(svg, shown, &cells, size);
    }
    letters.is_some()
}

/// Returns the font size with which every step number fits into a cell, or `None` if it is not legible.
fn letters(shown: &PlanView<'_>, cell: f64) -> Option<f64> {
    let widest = "8".repeat(shown.plan.steps().len().to_string().len());
    let size = ((cell - 2.5) / Type::new(1.0).width(&widest)).min(cell * 0.5).min(12.0);
    (size >= LEAST).then_some((size * 10.0).floor() / 10.0)
}

fn numbers(svg: &mut Svg, shown: &PlanView<'_>, cells: &BTreeMap<usize, Vec<Area>>, size: f64) {
    let set = Type::new(size).anchor(Anchor::Middle);
    for ink in [INK, PAPER] {
        let inked = cells.iter().filter(|(step, _)| shown.step_colour(**step).ink() == ink);
        let texts =
            inked.flat_map(|(step, areas)| areas.iter().map(move |area| (area.middle(), (step + 1).to_string())));
        let texts: Vec<_> = texts.map(|((x, y), number)| ((x, y + set.drop()), number)).collect();
        if !texts.is_empty() {
            svg.texts("numbers", texts, set.colour(ink));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gtr_core::{ImageIndex, Seed};

    use super::super::view::tests::plan;
    use super::*;

    /// Returns the value of an attribute of a line.
    fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
        line.split_once(&format!(" {name}=\"")).unwrap().1.split_once('"').unwrap().0
    }

    /// Returns the position and the group of each cell, and the number of texts. Checks that each text is in its cell.
    fn drawn(preset: &str, grid: &str, known: usize) -> (Vec<(String, String)>, usize) {
        let plan = plan(preset, grid, known);
        let shown = PlanView::new(preset, &plan, (Seed(0), ImageIndex(0))).unwrap();
        let mut svg = Svg::new("cells");
        assert!(draw(&mut svg, &shown, (0.0, 0.0), 20.0));
        let file = svg.finish(1.0, 1.0);
        let mut group = String::new();
        let mut cells = Vec::new();
        // The first rectangle is the background.
        for line in file.lines().skip(3) {
            if line.starts_with("<g") {
                group = attribute(line, "class").to_owned();
            } else if line.starts_with("<rect") {
                cells.push((format!("{} {}", attribute(line, "x"), attribute(line, "y")), group.clone()));
            }
        }
        let texts: Vec<&str> = file.lines().filter(|line| line.starts_with("<text")).collect();
        for text in &texts {
            let number = text.split_once('>').unwrap().1.trim_end_matches("</text>");
            let place = |name: &str, of: f64| (attribute(text, name).parse::<f64>().unwrap() / of).floor() * of + 0.5;
            let place = format!("{} {}", place("x", 20.0), place("y", 20.0));
            assert!(cells.contains(&(place, format!("step-{number}"))), "{text}");
        }
        (cells, texts.len())
    }

    #[test]
    fn every_cell_is_drawn_once_with_its_step() {
        for (preset, grid, known) in
            [("gtr-16", "8x8", 0), ("gtr-paper", "5x9", 7), ("mar-8", "16x16", 0), ("gtr-8", "1x1", 0)]
        {
            let (cells, texts) = drawn(preset, grid, known);
            let places: BTreeSet<_> = cells.iter().map(|(place, _)| place).collect();
            let tokens = grid.split('x').map(|side| side.parse::<usize>().unwrap()).product();
            assert_eq!((cells.len(), places.len(), texts), (tokens, tokens, tokens - known), "{preset} {grid}");
        }
    }

    #[test]
    fn illegible_step_numbers_are_omitted() {
        let plan = plan("mar-64", "16x16", 0);
        let shown = PlanView::new("mar-64", &plan, (Seed(0), ImageIndex(0))).unwrap();
        assert!(!draw(&mut Svg::new(""), &shown, (0.0, 0.0), 5.0));
    }
}
