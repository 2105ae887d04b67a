//! Counts as floating-point numbers.

/// Converts a count to a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "counts of images and operations are far below 2^53")]
pub(crate) fn float(number: usize) -> f64 {
    number as f64
}
