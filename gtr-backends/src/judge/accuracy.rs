//! Accuracy: the share of images that are classified as the requested class.

use super::Interval;
use super::float;

/// Wilson score interval of a proportion, at 95 % confidence, for `right` successes of `of` trials. Unlike a bootstrap
/// interval, it does not collapse to a point if all or none are right. In these cases one end is exactly 1 or 0.
///
/// # Source
/// Wilson, Probable inference, the law of succession, and statistical inference (1927).
///
/// # Examples
/// ```
/// use gtr_backends::judge::wilson;
/// let all = wilson(100, 100);
/// assert!((all.low - 0.963).abs() < 1e-3 && all.high == 1.0);
/// let half = wilson(50, 100);
/// assert!((half.low - 0.404).abs() < 1e-3 && (half.high - 0.596).abs() < 1e-3);
/// ```
pub fn wilson(right: u64, of: u64) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    let all = float(of.max(1));
    let (share, spread) = (float(right) / all, Z * Z / all);
    let middle = (share + spread / 2.0) / (1.0 + spread);
    let half = Z * (share * (1.0 - share) / all + spread / (4.0 * all)).sqrt() / (1.0 + spread);
    // The exact end, without rounding errors.
    let low = if right == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if right >= of { 1.0 } else { (middle + half).min(1.0) };
    Interval { low, high }
}
