//! Axes, series, points and bands of a plot.

use crate::palette::Colour;
use crate::scale::{AxisScale, Kind};

/// An axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) range: Option<(f64, f64)>,
    pub(super) bare: bool,
}

impl Axis {
    /// A linear axis with the range of the values.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// Sets the label of the axis.
    #[must_use]
    pub fn named(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// Makes the axis logarithmic.
    #[must_use]
    pub fn log(self) -> Self {
        Self { kind: Kind::Log, ..self }
    }

    /// Restricts the ticks to integers.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { kind: Kind::Whole, ..self }
    }

    /// Sets the range.
    #[must_use]
    pub fn range(self, from: f64, to: f64) -> Self {
        Self { range: Some((from, to)), ..self }
    }

    /// Hides the tick labels, for a plot above another plot with the same axis.
    #[must_use]
    pub fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    pub(super) fn scale(&self, values: impl IntoIterator<Item = f64>) -> AxisScale {
        match self.range {
            Some((from, to)) => AxisScale::new(self.kind, from, to),
            None => AxisScale::around(self.kind, values),
        }
    }
}

/// Representation of the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Dots with error bars and labels.
    Points,
    /// A line through the points.
    Line,
    /// A step function: constant until the next point.
    Steps,
    /// Bars from the axis, one unit wide.
    Bars,
}

/// A data series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub(super) name: String,
    pub(super) marks: Marks,
    pub(super) colour: Colour,
    pub(super) dashed: bool,
    pub(super) points: Vec<Point>,
}

impl Series {
    /// Creates a series without points.
    pub fn new(name: &str, marks: Marks, colour: Colour) -> Self {
        Self { name: name.to_owned(), marks, colour, dashed: false, points: Vec::new() }
    }

    /// Adds points.
    #[must_use]
    pub fn with<P: Into<Point>>(mut self, points: impl IntoIterator<Item = P>) -> Self {
        self.points.extend(points.into_iter().map(Into::into));
        self
    }

    /// Makes the lines dashed.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

/// A point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) error: Option<(f64, f64)>,
    pub(super) label: String,
    pub(super) colour: Option<Colour>,
}

impl Point {
    /// Creates a point at these values.
    pub fn at(x: f64, y: f64) -> Self {
        Self { x, y, error: None, label: String::new(), colour: None }
    }

    /// Adds an error bar from `below` below the y value to `above` above it.
    #[must_use]
    pub fn error(self, below: f64, above: f64) -> Self {
        Self { error: Some((self.y - below, self.y + above)), ..self }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// Sets the colour, instead of that of the series.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }
}

impl From<(f64, f64)> for Point {
    fn from((x, y): (f64, f64)) -> Self {
        Self::at(x, y)
    }
}

/// A coloured interval of the x axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Value at the left edge.
    pub from: f64,
    /// Value at the right edge.
    pub to: f64,
    /// Fill colour.
    pub colour: Colour,
}
