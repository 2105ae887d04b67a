//! Plot of quality against cost.

use gtr_backends::judge::Interval;
use gtr_draw::chart::{Axis, Chart, Marks, Point, Series};
use gtr_draw::palette::{SOFT, category};

use super::EvaluationRow;

/// Width and height of the figure.
const SIZE: (f64, f64) = (760.0, 480.0);

/// Draws the rows with known cost as SVG, with the Pareto front.
pub fn figure(title: &str, rows: &[EvaluationRow]) -> String {
    let points: Vec<(f64, f64)> = rows.iter().filter_map(place).collect();
    let front = front(&points);
    let point = |row: &EvaluationRow| {
        let (x, y) = place(row)?;
        let Interval { low, high } = row.scores.frechet.interval();
        let on = front.contains(&(x, y));
        let mut point = Point::at(x, y).label(&row.name);
        if low.is_finite() && high.is_finite() {
            point = point.error(y - low, high - y);
        }
        Some(if on { point } else { point.colour(SOFT) })
    };
    let chart = Chart {
        title: title.to_owned(),
        x: Axis::new("10^9 operations of an image").log(),
        y: Axis::new("Fr\u{e9}chet distance (less is better)"),
        series: vec![
            Series::new("Pareto front: nothing cheaper is better", Marks::Steps, category(0))
                .with(front.iter().copied()),
            Series::new("rows, with their intervals at 95 %", Marks::Points, category(0))
                .with(rows.iter().filter_map(point)),
        ],
        ..Chart::default()
    };
    chart.figure(SIZE.0, SIZE.1)
}

/// Returns cost (10^9 operations) and distance.
fn place(row: &EvaluationRow) -> Option<(f64, f64)> {
    row.made.as_ref().map(|made| (made.operations / 1e9, row.scores.frechet.value()))
}

/// Returns the Pareto front: the points that no other point dominates, sorted by cost.
fn front(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut front: Vec<(f64, f64)> = Vec::new();
    for point in sorted {
        if front.last().is_none_or(|last| point.1 < last.1) {
            front.push(point);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::front;

    #[test]
    fn the_front_has_no_dominated_points() {
        let points = [(4.0, 1.0), (1.0, 9.0), (2.0, 9.0), (2.0, 5.0), (3.0, 6.0), (2.0, 5.0), (5.0, 1.0)];
        assert_eq!(front(&points), [(1.0, 9.0), (2.0, 5.0), (4.0, 1.0)]);
        assert_eq!(front(&[]), []);
    }
}
