//! Plots of numbers: lines, steps and points over two axes.
//!
//! ```ignore
//! let chart = Chart {
//!     title: "Quality against cost".to_owned(),
//!     x: Axis::new("operations of an image").log(),
//!     y: Axis::new("judged right"),
//!     series: vec![
//!         Series::new("presets", Marks::Points, category(0)).with([Point::at(1.2e9, 0.93).error(0.01).label("gtr-16")]),
//!         Series::new("Pareto line", Marks::Steps, SOFT).with([(1.2e9, 0.93), (4.0e9, 0.97)]),
//!     ],
//!     ..Chart::default()
//! };
//! let svg = chart.figure(640.0, 420.0);
//! let png = png::render(&svg)?;
//! ```

use super::area::Area;
use super::labels::Labels;
use super::palette::{Colour, INK, RULE, SOFT};
use super::scale::{Kind, Scale, name};
use super::svg::{Anchor, Look, Path, Svg, Type};

/// Height of letters.
const SMALL: f64 = 10.0;
const TITLE: f64 = 12.0;

/// A plot; what is not finite, or not above 0 on a logarithmic axis, is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// From back to front. Those with a name are listed above the plot, if there are two of them or more.
    pub(crate) series: Vec<Series>,
    /// Stretches of the x axis that are coloured from top to bottom.
    pub(crate) bands: Vec<Band>,
    /// Room for what stands left of the plot; as much as is needed, unless given: plots above each other share it.
    pub(crate) gutter: Option<f64>,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axis {
    label: String,
    kind: Kind,
    range: Option<(f64, f64)>,
    zero: bool,
    bare: bool,
}

impl Axis {
    /// A linear axis that holds the values.
    pub(crate) fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// With a name below it or beside it.
    pub(crate) fn named(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// Equal ratios equally far apart.
    pub(crate) fn log(self) -> Self {
        Self { kind: Kind::Log, ..self }
    }

    /// Only whole numbers are named.
    pub(crate) fn whole(self) -> Self {
        Self { kind: Kind::Whole, ..self }
    }

    /// With these ends.
    pub(crate) fn range(self, from: f64, to: f64) -> Self {
        Self { range: Some((from, to)), ..self }
    }

    /// Beginning at 0, where no value is less.
    pub(crate) fn from_zero(self) -> Self {
        Self { zero: true, ..self }
    }

    /// Without numbers, as in a plot above another that has them.
    pub(crate) fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    fn scale(&self, values: impl IntoIterator<Item = f64>) -> Scale {
        match self.range {
            Some((from, to)) => Scale::new(self.kind, from, to),
            None => Scale::around(self.kind, values, self.zero),
        }
    }
}

/// How points are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Dots with their error bars and labels.
    Points,
    /// A line from point to point.
    Line,
    /// A line that stays until the next point, then jumps.
    Steps,
    /// Bars from the axis, one unit wide.
    Bars,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    name: String,
    marks: Marks,
    colour: Colour,
    dashed: bool,
    points: Vec<Point>,
}

impl Series {
    /// A series without points.
    pub(crate) fn new(name: &str, marks: Marks, colour: Colour) -> Self {
        Self { name: name.to_owned(), marks, colour, dashed: false, points: Vec::new() }
    }

    /// With points.
    pub(crate) fn with<P: Into<Point>>(mut self, points: impl IntoIterator<Item = P>) -> Self {
        self.points.extend(points.into_iter().map(Into::into));
        self
    }

    /// With lines in dashes.
    pub(crate) fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    x: f64,
    y: f64,
    error: Option<(f64, f64)>,
    label: String,
    colour: Option<Colour>,
}

impl Point {
    /// A point at these values.
    pub(crate) fn at(x: f64, y: f64) -> Self {
        Self { x, y, error: None, label: String::new(), colour: None }
    }

    /// With an error bar: from so far below its y to so far above.
    pub(crate) fn error(self, below: f64, above: f64) -> Self {
        Self { error: Some((self.y - below, self.y + above)), ..self }
    }

    /// With a text beside it.
    pub(crate) fn label(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// In a colour of its own.
    pub(crate) fn colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }
}

impl From<(f64, f64)> for Point {
    fn from((x, y): (f64, f64)) -> Self {
        Self::at(x, y)
    }
}

/// A stretch of the x axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Band {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) colour: Colour,
}

/// Where values lie on the page.
#[derive(Clone, Copy)]
struct Plot {
    area: Area,
    x: Scale,
    y: Scale,
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
    /// The plot as a figure of its own.
    pub(crate) fn figure(&self, width: f64, height: f64) -> String {
        let mut svg = Svg::new(&self.title);
        self.draw(&mut svg, Area::new(0.0, 0.0, width, height).inside([14.0, 18.0, 12.0, 14.0]));
        svg.finish(width, height)
    }

    /// Draws the plot into an area of a figure.
    pub(crate) fn draw(&self, svg: &mut Svg, area: Area) {
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

    /// Room above, right of, below and left of the plot.
    fn margins(&self, area: Area, y: Scale) -> [f64; 4] {
        let listed = if self.listed().is_empty() { 0.0 } else { SMALL * 1.7 };
        let title = if self.title.is_empty() { SMALL * 0.6 } else { TITLE * 1.7 };
        let numbers = if self.x.bare { 0.0 } else { SMALL * 1.7 };
        let words = if self.x.label.is_empty() { 0.0 } else { SMALL * 1.6 };
        let wide = y.ticks(wanted(area.height)).into_iter().map(|it| Type::new(SMALL).width(&name(it)));
        let wide = if self.y.bare { 0.0 } else { wide.fold(0.0, f64::max) + 8.0 };
        let side = if self.y.label.is_empty() { 0.0 } else { SMALL * 1.8 };
        [title + listed, 6.0, numbers + words + 2.0, self.gutter.unwrap_or(wide + side)]
    }

    /// The series that are named above the plot.
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
            left += 17.0 + set.width(&series.name) + 14.0;
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
        for tick in plot.y.ticks(wanted(height)) {
            let Some(y) = plot.y(tick) else { continue };
            svg.line((left, y), (right, y), Look::stroke(RULE, 0.8));
            if !self.y.bare {
                svg.text((left - 6.0, y + set.drop()), &name(tick), set.anchor(Anchor::End));
            }
        }
        svg.line((left, bottom), (right, bottom), Look::stroke(SOFT, 1.0));
        let ticks = plot.x.ticks(wanted(width));
        // Names that would run into each other are left out.
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

    /// Writes the labels of points where they cover the least.
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

/// How many ticks suit a length.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn wanted(length: f64) -> u32 {
    (length / 55.0).clamp(2.0, 10.0) as u32
}

impl Series {
    fn line(&self) -> Look {
        let look = Look::stroke(self.colour, 1.8);
        if self.dashed { look.dashed() } else { look }
    }

    fn draw(&self, svg: &mut Svg, plot: &Plot) {
        let places = || self.points.iter().filter_map(|point| plot.place(point));
        match self.marks {
            Marks::Line => svg.path(&Path::through(places()), self.line()),
            Marks::Steps => {
                let places: Vec<_> = places().collect();
                let corners = places.windows(2).flat_map(|pair| [(pair[1].0, pair[0].1), pair[1]]);
                svg.path(&Path::through(places.first().copied().into_iter().chain(corners)), self.line());
            }
            Marks::Bars => self.bars(svg, plot),
            Marks::Points => self.dots(svg, plot),
        }
    }

    fn bars(&self, svg: &mut Svg, plot: &Plot) {
        for point in &self.points {
            let (Some((_, y)), Some(left), Some(right)) =
                (plot.place(point), plot.x(point.x - 0.5), plot.x(point.x + 0.5))
            else {
                continue;
            };
            let gap = ((right - left) * 0.12).min(1.0);
            let bar = Area::new(left + gap, y, right - left - 2.0 * gap, plot.area.bottom() - y);
            svg.rect(bar, Look::fill(point.colour.unwrap_or(self.colour)));
        }
    }

    fn dots(&self, svg: &mut Svg, plot: &Plot) {
        for point in &self.points {
            let Some((x, y)) = plot.place(point) else { continue };
            let colour = point.colour.unwrap_or(self.colour);
            if let Some((below, above)) = point.error
                && let (Some(low), Some(high)) = (plot.y(below), plot.y(above))
            {
                let look = Look::stroke(colour, 1.2);
                svg.line((x, low), (x, high), look);
                for end in [low, high] {
                    svg.line((x - 3.0, end), (x + 3.0, end), look);
                }
            }
            svg.circle((x, y), 4.0, Look::fill(colour).outlined(super::palette::PAPER, 1.0));
        }
    }
}
