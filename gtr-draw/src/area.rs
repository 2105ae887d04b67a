//! Rectangles of a figure.

/// A rectangle, in pixels of the figure from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its left side.
    pub left: f64,
    /// Its upper side.
    pub top: f64,
    /// From side to side.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

impl Area {
    /// A rectangle.
    pub fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, width, height }
    }

    /// Its right side.
    pub fn right(self) -> f64 {
        self.left + self.width
    }

    /// Its lower side.
    pub fn bottom(self) -> f64 {
        self.top + self.height
    }

    /// Its middle.
    pub fn middle(self) -> (f64, f64) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }

    /// What is left of it inside margins: above, right, below, left; at least a pixel in both directions.
    #[must_use]
    pub fn inside(self, [top, right, bottom, left]: [f64; 4]) -> Self {
        Self {
            left: self.left + left,
            top: self.top + top,
            width: (self.width - left - right).max(1.0),
            height: (self.height - top - bottom).max(1.0),
        }
    }

    /// How much of it lies in another, in square pixels.
    pub fn overlap(self, other: Self) -> f64 {
        let wide = self.right().min(other.right()) - self.left.max(other.left);
        let high = self.bottom().min(other.bottom()) - self.top.max(other.top);
        wide.max(0.0) * high.max(0.0)
    }
}
