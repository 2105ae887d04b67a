//! Errors of figures and pages.

use gtr_core::Grid;

/// Error of a figure or a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plan cannot be shown with the order of an image.
    #[error(transparent)]
    Plan(#[from] gtr_core::Error),
    /// Too many plans for one figure or page.
    #[error("expected at most {most} plans side by side, found {found}")]
    TooManyPlans {
        /// Number of plans.
        found: usize,
        /// Largest number of plans.
        most: usize,
    },
    /// A grid that is too large for a page, because its cells would be too small to point at.
    #[error("expected a grid of at most {most} rows and columns, found {grid}")]
    GridTooLarge {
        /// The grid.
        grid: Grid,
        /// Largest number of rows and of columns.
        most: u32,
    },
    /// Invalid SVG.
    #[error("cannot render the figure")]
    Svg(#[source] Source),
    /// A figure has too many pixels.
    #[error("cannot render the figure: {width}x{height} pixels are too many")]
    TooManyPixels {
        /// Width in pixels.
        width: f32,
        /// Height in pixels.
        height: f32,
    },
    /// The PNG encoder failed.
    #[error("cannot encode the figure")]
    Encode(#[source] Source),
}

/// Error of the rendering library.
type Source = Box<dyn std::error::Error + Send + Sync>;
