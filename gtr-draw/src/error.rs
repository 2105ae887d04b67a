//! What cannot be drawn.

use gtr_core::Grid;

/// Why a figure or a page is not drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More plans than fit side by side.
    #[error("at most {most} plans fit side by side, not {found}")]
    TooManyPlans {
        /// How many there are.
        found: usize,
        /// How many fit.
        most: usize,
    },
    /// A grid whose cells would be too small to point at.
    #[error("a page draws grids of at most {most} rows and columns, not {grid}")]
    GridTooLarge {
        /// The grid.
        grid: Grid,
        /// Rows and columns that are drawn at most.
        most: u32,
    },
    /// A text is no SVG.
    #[error("cannot paint the figure")]
    Svg(#[source] Source),
    /// A figure has too many pixels.
    #[error("cannot paint the figure: {width}x{height} pixels are too many")]
    TooManyPixels {
        /// Pixels in a row.
        width: f32,
        /// Rows of pixels.
        height: f32,
    },
    /// Pixels do not become a file.
    #[error("cannot encode the figure")]
    Encode(#[source] Source),
}

/// What the library that paints says.
type Source = Box<dyn std::error::Error + Send + Sync>;
