//! Rectangles of a figure.

/// A rectangle, in pixels of the figure from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    /// A rectangle.
    pub(crate) fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, width, height }
    }

    /// Its right side.
    pub(crate) fn right(self) -> f64 {
        self.left + self.width
    }

    /// Its lower side.
    pub(crate) fn bottom(self) -> f64 {
        self.top + self.height
    }

    /// Its middle.
    pub(crate) fn middle(self) -> (f64, f64) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// What is left of it inside margins.
    pub(crate) fn inside(self, [top, right, bottom, left]: [f64; 4]) -> Self {
        Self {
            left: self.left + left,
            top: self.top + top,
            width: (self.width - left - right).max(1.0),
            height: (self.height - top - bottom).max(1.0),
        }
    }

    /// How much of it lies in another, in square pixels.
    pub(crate) fn overlap(self, other: Self) -> f64 {
        let wide = self.right().min(other.right()) - self.left.max(other.left);
        let high = self.bottom().min(other.bottom()) - self.top.max(other.top);
        wide.max(0.0) * high.max(0.0)
    }
}
