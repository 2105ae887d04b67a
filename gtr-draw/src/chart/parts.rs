//! What a plot is made of.

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
    /// A linear axis that holds the values.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    /// With a name below it or beside it.
    #[must_use]
    pub fn named(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// Equal ratios equally far apart.
    #[must_use]
    pub fn log(self) -> Self {
        Self { kind: Kind::Log, ..self }
    }

    /// Only whole numbers are named.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { kind: Kind::Whole, ..self }
    }

    /// With these ends.
    #[must_use]
    pub fn range(self, from: f64, to: f64) -> Self {
        Self { range: Some((from, to)), ..self }
    }

    /// Without numbers, as in a plot above another that has them.
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

/// How points are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
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
pub struct Series {
    pub(super) name: String,
    pub(super) marks: Marks,
    pub(super) colour: Colour,
    pub(super) dashed: bool,
    pub(super) points: Vec<Point>,
}

impl Series {
    /// A series without points.
    pub fn new(name: &str, marks: Marks, colour: Colour) -> Self {
        Self { name: name.to_owned(), marks, colour, dashed: false, points: Vec::new() }
    }

    /// With points.
    #[must_use]
    pub fn with<P: Into<Point>>(mut self, points: impl IntoIterator<Item = P>) -> Self {
        self.points.extend(points.into_iter().map(Into::into));
        self
    }

    /// With lines in dashes.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) error: Option<(f64, f64)>,
    pub(super) label: String,
    pub(super) colour: Option<Colour>,
}

impl Point {
    /// A point at these values.
    pub fn at(x: f64, y: f64) -> Self {
        Self { x, y, error: None, label: String::new(), colour: None }
    }

    /// With an error bar: from so far below its y to so far above.
    #[must_use]
    pub fn error(self, below: f64, above: f64) -> Self {
        Self { error: Some((self.y - below, self.y + above)), ..self }
    }

    /// With a text beside it.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// In a colour of its own.
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

/// A stretch of the x axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// The value at its left side.
    pub from: f64,
    /// The value at its right side.
    pub to: f64,
    /// Its colour.
    pub colour: Colour,
}
