//! Plots of data series: points, lines, steps and bars over two axes.
//!
//! # Examples
//! ```
//! use gtr_draw::chart::{Axis, Chart, Marks, Point, Series};
//! use gtr_draw::palette::{SOFT, category};
//!
//! let chart = Chart {
//!     title: "Quality against cost".to_owned(),
//!     x: Axis::new("operations of an image").log(),
//!     y: Axis::new("judged right"),
//!     series: vec![
//!         Series::new("presets", Marks::Points, category(0))
//!             .with([Point::at(1.2e9, 0.93).error(0.01, 0.01).label("gtr-16")]),
//!         Series::new("Pareto line", Marks::Steps, SOFT).with([(1.2e9, 0.93), (4.0e9, 0.97)]),
//!     ],
//!     ..Chart::default()
//! };
//! let svg = chart.figure(640.0, 420.0);
//! assert!(svg.contains("gtr-16"));
//! ```

mod marks;
mod parts;

pub use self::parts::{Axis, Band, Marks, Point, Series};

use crate::area::Area;
use crate::labels::Labels;
use crate::palette::{INK, RULE, SOFT};
use crate::scale::{AxisScale, name};
use crate::svg::{Anchor, Look, Svg, Type};

/// Font sizes in pixels.
const SMALL: f64 = 10.0;
const TITLE: f64 = 12.0;

/// Space per tick on the x axis and on the y axis, in pixels.
const WIDE: f64 = 45.0;
const HIGH: f64 = 34.0;

/// A plot. Values that are not finite, or not positive on a logarithmic axis, are omitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// Title above the plot; no title if it is empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Series, from back to front. A legend above the plot lists those with a name if there are at least two.
    pub series: Vec<Series>,
    /// Coloured intervals of the x axis, over the full height of the plot.
    pub bands: Vec<Band>,
    /// Width of the margin left of the plot in pixels; computed if `None`. A common width aligns plots above each other.
    pub gutter: Option<f64>,
}

/// Mapping from values to positions in the figure.
#[derive(Clone, Copy)]
struct Plot {
    area: Area,
    x: AxisScale,
    y: AxisScale,
}

impl Plot {
    fn x(&self, value: f64) -> Option<f64> {
        self.x.share(value).map(|share| self.area.left + share.clamp(0.0, 1.0) * self.area.width)
    }

    fn y(&self, value: f64) -> Option<f64> {
        self.y.share(value).map(|share| self.area.bottom() - share.clamp(0.0, 1.0) * self.area.height)
    }

    fn place(&self, point: &Point) -> Option<(f64, f64)> {
        self.x(point.x).zip(self.y(point.y))
    }
}

impl Chart {
    /// Returns the plot as a separate SVG figure. The size is in pixels.
    pub fn figure(&self, width: f64, height: f64) -> String {
        let mut svg = Svg::new(&self.title);
        self.draw(&mut svg, Area::new(0.0, 0.0, width, height).inside([14.0, 18.0, 12.0, 14.0]));
        svg.finish(width, height)
    }

    /// Draws the plot into an area of a figure.
    pub fn draw(&self, svg: &mut Svg, area: Area) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let heights = points().flat_map(|point| {
            let (below, above) = point.error.unwrap_or((point.y, point.y));
            [point.y, below, above]
        });
        let (x, y) = (self.x.scale(points().map(|point| point.x)), self.y.scale(heights));
        let plot = Plot { area: area.inside(self.margins(area, y)), x, y };
        svg.group("chart", Look::default(), |svg| {
            if !self.title.is_empty() {
                svg.text((area.left, area.top + TITLE * 0.8), &self.title, Type::new(TITLE).bold());
            }
            self.list(svg, area);
            self.bands(svg, &plot);
            self.axes(svg, &plot, area);
            for series in &self.series {
                series.draw(svg, &plot);
            }
            self.label(svg, &plot);
        });
    }

    /// Returns the margins of the plot: top, right, bottom, left.
    fn margins(&self, area: Area, y: AxisScale) -> [f64; 4] {
        let listed = if self.listed().is_empty() { 0.0 } else { SMALL * 1.7 };
        let title = if self.title.is_empty() { SMALL * 0.6 } else { TITLE * 1.7 };
        let numbers = if self.x.bare { 0.0 } else { SMALL * 1.7 };
        let words = if self.x.label.is_empty() { 0.0 } else { SMALL * 1.6 };
        let wide = y.ticks(wanted(area.height, HIGH)).into_iter().map(|it| Type::new(SMALL).width(&name(it)));
        let wide = if self.y.bare { 0.0 } else { wide.fold(0.0, f64::max) + 8.0 };
        let side = if self.y.label.is_empty() { 0.0 } else { SMALL * 1.8 };
        [title + listed, 6.0, numbers + words + 2.0, self.gutter.unwrap_or(wide + side)]
    }

    /// Returns the series of the legend.
    fn listed(&self) -> Vec<&Series> {
        let named: Vec<&Series> = self.series.iter().filter(|series| !series.name.is_empty()).collect();
        if named.len() < 2 { Vec::new() } else { named }
    }

    fn list(&self, svg: &mut Svg, area: Area) {
        let set = Type::new(SMALL).colour(SOFT);
        let middle = area.top + if self.title.is_empty() { 5.0 } else { TITLE * 1.7 + 4.0 };
        let mut left = area.left;
        for series in self.listed() {
            match series.marks {
                Marks::Points => svg.circle((left + 6.0, middle), 3.5, Look::fill(series.colour)),
                Marks::Bars => svg.rect(Area::new(left + 2.0, middle - 4.0, 8.0, 8.0), Look::fill(series.colour)),
                Marks::Line | Marks::Steps => {
                    svg.line((left, middle), (left + 13.0, middle), series.line());
                }
            }
            svg.text((left + 17.0, middle + set.drop()), &series.name, set);
            // A fallback font of a browser may be wider by a sixth.
            left += 17.0 + set.width(&series.name) * 7.0 / 6.0 + 14.0;
        }
    }

    fn bands(&self, svg: &mut Svg, plot: &Plot) {
        for band in &self.bands {
            if let (Some(from), Some(to)) = (plot.x(band.from), plot.x(band.to)) {
                let Area { top, height, .. } = plot.area;
                svg.rect(Area::new(from, top, to - from, height), Look::fill(band.colour));
            }
        }
    }

    fn axes(&self, svg: &mut Svg, plot: &Plot, area: Area) {
        let Area { left, top, width, height } = plot.area;
        let (right, bottom) = (plot.area.right(), plot.area.bottom());
        let set = Type::new(SMALL).colour(SOFT);
        for tick in plot.y.ticks(wanted(height, HIGH)) {
            let Some(y) = plot.y(tick) else { continue };
            svg.line((left, y), (right, y), Look::stroke(RULE, 0.8));
            if !self.y.bare {
                svg.text((left - 6.0, y + set.drop()), &name(tick), set.anchor(Anchor::End));
            }
        }
        svg.line((left, bottom), (right, bottom), Look::stroke(SOFT, 1.0));
        let ticks = plot.x.ticks(wanted(width, WIDE));
        // Labels that would overlap are omitted.
        let mut free = f64::NEG_INFINITY;
        for tick in ticks {
            let Some(x) = plot.x(tick) else { continue };
            svg.line((x, bottom), (x, bottom + 3.5), Look::stroke(SOFT, 1.0));
            let half = set.width(&name(tick)) / 2.0;
            if !self.x.bare && x - half > free {
                svg.text((x, bottom + 5.0 + SMALL), &name(tick), set.anchor(Anchor::Middle));
                free = x + half + 4.0;
            }
        }
        let words = Type::new(SMALL).colour(INK).anchor(Anchor::Middle);
        if !self.x.label.is_empty() {
            svg.text((left + width / 2.0, area.bottom() - 3.0), &self.x.label, words);
        }
        if !self.y.label.is_empty() {
            svg.upright((area.left + SMALL * 0.8, top + height / 2.0), &self.y.label, words);
        }
    }

    /// Writes the labels of points where they overlap least.
    fn label(&self, svg: &mut Svg, plot: &Plot) {
        let points = || self.series.iter().filter(|it| it.marks == Marks::Points).flat_map(|it| &it.points);
        let mut labels = Labels::new(plot.area, SMALL, points().filter_map(|point| plot.place(point)));
        for point in points().filter(|point| !point.label.is_empty()) {
            if let Some(at) = plot.place(point) {
                labels.write(svg, at, &point.label);
            }
        }
    }
}

/// Returns the number of ticks for a length, at `each` pixels per tick.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn wanted(length: f64, each: f64) -> u32 {
    (length / each).clamp(2.0, 10.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::category;

    fn chart(points: Vec<Point>) -> String {
        let chart = Chart {
            title: "Quality against cost".to_owned(),
            x: Axis::new("operations").log(),
            y: Axis::new("judged right").range(0.0, 1.2),
            series: vec![
                Series::new("presets", Marks::Points, category(0)).with(points),
                Series::new("Pareto line", Marks::Steps, SOFT).with([(1e9, 0.5), (1e10, 0.9)]),
            ],
            ..Chart::default()
        };
        chart.figure(400.0, 300.0)
    }

    #[test]
    fn points_have_error_bars_and_labels() {
        let plain = chart(vec![Point::at(1e9, 0.5), Point::at(1e10, 0.9)]);
        let full =
            chart(vec![Point::at(1e9, 0.5).error(0.1, 0.2).label("gtr-8"), Point::at(1e10, 0.9).label("mar-64")]);
        let count = |file: &str, what: &str| file.matches(what).count();
        // Two points and one in the legend.
        assert_eq!((count(&plain, "<circle"), count(&full, "<circle")), (3, 3));
        // The error bar and its two ends.
        assert_eq!(count(&full, "<path") - count(&plain, "<path"), 3);
        for text in ["gtr-8", "mar-64", "presets", "Pareto line", "operations", "judged right", "Quality against cost"]
        {
            assert!(full.contains(&format!(">{text}</text>")), "{text}");
        }
    }

    #[test]
    fn values_that_are_not_finite_are_omitted() {
        let file = chart(vec![Point::at(0.0, 0.5), Point::at(f64::NAN, 0.5), Point::at(1e9, f64::INFINITY)]);
        assert_eq!(file.matches("<circle").count(), 1, "{file}");
        assert!(!file.contains("NaN") && !file.contains("inf"));
    }
}
