//! Counts as floating-point numbers.

/// Converts a count to a floating-point number. Counts above 2^53 are rounded.
///
/// # Examples
/// ```
/// assert_eq!(gtr_core::float(7) / 2.0, 3.5);
/// ```
#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
pub fn float(count: usize) -> f64 {
    count as f64
}
