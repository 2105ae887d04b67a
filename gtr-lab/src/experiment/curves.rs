//! Figure of the distance over the AR steps or the network evaluations.

use gtr_backends::judge::Interval;

use super::CurveAxis;
use super::Experiment;
use crate::evaluation::EvaluationRow;
use gtr_draw::chart::{Axis, Chart, Marks, Point, Series};
use gtr_draw::palette::category;

/// Width and height of the figure.
const SIZE: (f64, f64) = (760.0, 440.0);

/// Draws the figure as SVG: one line per curve, with the intervals of its rows.
pub(super) fn figure(experiment: &Experiment, rows: &[EvaluationRow]) -> String {
    let mut lines = Vec::new();
    let mut dots = Vec::new();
    for (at, curve) in experiment.curves.iter().enumerate() {
        let of = |name: &String| rows.iter().find(|row| row.name == *name);
        let point = |row: &EvaluationRow| {
            let made = row.made.as_ref()?;
            let position = match experiment.curves_over {
                CurveAxis::ArSteps => made.ar_steps,
                CurveAxis::NetworkEvaluations => made.network_evaluations,
            };
            let value = row.scores.frechet.value();
            let Interval { low, high } = row.scores.frechet.interval();
            let point = Point::at(gtr_core::float(position), value);
            Some(if low.is_finite() && high.is_finite() { point.error(value - low, high - value) } else { point })
        };
        let points: Vec<Point> = curve.rows.iter().filter_map(of).filter_map(point).collect();
        if points.len() > 1 {
            lines.push(Series::new("", Marks::Line, category(at)).with(points.clone()));
        }
        dots.push(Series::new(&curve.name, Marks::Points, category(at)).with(points));
    }
    let chart = Chart {
        title: experiment.title.clone(),
        x: Axis::new(experiment.curves_over.label()).log(),
        y: Axis::new("Fr\u{e9}chet distance (less is better)"),
        series: lines.into_iter().chain(dots).collect(),
        ..Chart::default()
    };
    chart.figure(SIZE.0, SIZE.1)
}
