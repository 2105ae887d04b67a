//! Placement of point labels with little overlap.

use super::area::Area;
use super::palette::INK;
use super::svg::{Svg, Type};

/// Half the side of the square that a point covers, in pixels.
const DOT: f64 = 6.0;

/// Labels of a plot.
#[derive(Debug)]
pub(super) struct Labels {
    within: Area,
    set: Type,
    taken: Vec<Area>,
}

impl Labels {
    /// Creates an empty set of labels for a plot with these points.
    pub(super) fn new(within: Area, size: f64, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let dot = |(x, y)| Area::new(x - DOT, y - DOT, 2.0 * DOT, 2.0 * DOT);
        Self { within, set: Type::new(size).colour(INK), taken: points.into_iter().map(dot).collect() }
    }

    /// Writes the label of the point at `at`.
    pub(super) fn write(&mut self, svg: &mut Svg, at: (f64, f64), text: &str) {
        let area = self.place(at, text);
        svg.text((area.left, area.bottom() - 0.22 * area.height), text, self.set);
        self.taken.push(area);
    }

    /// Returns the first position next to a point without overlap, otherwise the one with the least overlap.
    fn place(&self, (x, y): (f64, f64), text: &str) -> Area {
        let (width, height) = (self.set.width(text), self.set.size * 1.15);
        let (left, middle, right) = (x - DOT - 1.0 - width, x - width / 2.0, x + DOT + 1.0);
        let (above, beside, below) = (y - DOT - height, y - height / 2.0, y + DOT);
        let places = [
            (right, beside),
            (left, beside),
            (middle, above),
            (middle, below),
            (right, above),
            (right, below),
            (left, above),
            (left, below),
        ];
        let places = places.map(|(left, top)| Area::new(left, top, width, height));
        let covered = |area: &Area| -> f64 {
            let outside = area.width * area.height - area.overlap(self.within);
            self.taken.iter().map(|taken| area.overlap(*taken)).sum::<f64>() + 4.0 * outside
        };
        let [first, rest @ ..] = places;
        rest.into_iter().fold(first, |best, place| if covered(&place) < covered(&best) { place } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_overlap_neither_points_nor_each_other() {
        let within = Area::new(0.0, 0.0, 200.0, 100.0);
        let points = [(50.0, 50.0), (70.0, 50.0), (195.0, 50.0), (100.0, 3.0)];
        let mut labels = Labels::new(within, 10.0, points);
        let mut svg = Svg::new("");
        for point in points {
            labels.write(&mut svg, point, "gtr-16");
        }
        let (dots, written) = labels.taken.split_at(points.len());
        for (position, label) in written.iter().enumerate() {
            let others = written.iter().take(position).chain(dots);
            assert!(others.into_iter().all(|other| label.overlap(*other) < 1e-6), "{label:?}");
            assert!(label.overlap(within) > label.width * label.height - 1e-6, "{label:?}");
        }
    }
}
