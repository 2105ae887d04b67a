//! Counts as floating-point numbers and as text.

use std::fmt::Display;

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

/// Formats a count with its noun, in the plural unless the count is 1.
///
/// # Examples
/// ```
/// assert_eq!(gtr_core::count(1, "AR step"), "1 AR step");
/// assert_eq!(gtr_core::count(0, "class"), "0 classes");
/// assert_eq!(gtr_core::count(2_u64, "quantity"), "2 quantities");
/// ```
pub fn count<N: Copy + Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    format!("{count} {}", plural(count, one))
}

/// Returns the noun of a count: in the plural unless the count is 1. `one` is the singular of a regular noun.
///
/// # Examples
/// ```
/// assert_eq!(gtr_core::plural(3, "seed"), "seeds");
/// ```
pub fn plural<N: Copy + PartialEq + From<u8>>(count: N, one: &str) -> String {
    if count == N::from(1) {
        return one.to_owned();
    }
    match one.strip_suffix("ty") {
        Some(stem) => format!("{stem}ties"),
        None if one.ends_with('s') => format!("{one}es"),
        None => format!("{one}s"),
    }
}
