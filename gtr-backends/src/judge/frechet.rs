//! Fréchet distance between two normal distributions.

use gtr_linalg::Symmetric;

use super::Moments;
use crate::BackendError;

/// Fréchet distance from fixed moments.
///
/// The squared distance between normal distributions with these moments: `|m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1^1/2 C2
/// C1^1/2)^1/2`. Eigenvalues that are negative due to rounding count as 0.
///
/// # Source
/// Dowson and Landau, The Fréchet distance between multivariate normal distributions (1982); as a score of images,
/// Heusel et al., arXiv 1706.08500.
///
/// # Examples
/// ```
/// use gtr_backends::judge::{Frechet, Moments};
/// let unit = Moments::new(vec![0.0, 0.0], vec![1.0, 0.0, 0.0, 1.0])?;
/// let other = Moments::new(vec![3.0, 0.0], vec![4.0, 0.0, 0.0, 1.0])?;
/// // 9 from the means, (2 - 1)^2 from the first standard deviation.
/// assert!((Frechet::from(&unit).to(&other)? - 10.0).abs() < 1e-12);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frechet {
    from: Moments,
    /// Square root of the covariance.
    root: Symmetric,
}

impl From<&Moments> for Frechet {
    fn from(from: &Moments) -> Self {
        Self { from: from.clone(), root: from.matrix().root() }
    }
}

impl Frechet {
    /// Returns the distance to `other`.
    ///
    /// # Errors
    /// [`BackendError::Request`] if the widths differ.
    pub fn to(&self, other: &Moments) -> Result<f64, BackendError> {
        if self.from.width() != other.width() {
            let (ours, theirs) = (self.from.width(), other.width());
            return Err(BackendError::Request(format!("expected features of width {ours}, found {theirs}")));
        }
        Ok(self.distance(other))
    }

    /// Returns the distance to moments of the same width.
    pub(super) fn distance(&self, other: &Moments) -> f64 {
        let between = self.root.congruent(other.matrix());
        let common: f64 = between.eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
        let distance: f64 = self.from.mean().iter().zip(other.mean()).map(|(a, b)| (a - b) * (a - b)).sum();
        distance + self.from.matrix().trace() + other.matrix().trace() - 2.0 * common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mean: [f64; 2], covariance: [f64; 4]) -> Moments {
        Moments::new(mean.to_vec(), covariance.to_vec()).unwrap()
    }

    /// For 2x2 matrices, `tr M^1/2` is the square root of `tr M + 2 (det M)^1/2`; here `M` is similar to `C1 C2`.
    #[test]
    fn distances_match_the_closed_form() {
        let (a, b) = ([2.0, 1.0, 1.0, 3.0], [5.0, -2.0, -2.0, 1.0]);
        let trace = a[0] * b[0] + 2.0 * a[1] * b[1] + a[3] * b[3];
        let determinant = (a[0] * a[3] - a[1] * a[1]) * (b[0] * b[3] - b[1] * b[1]);
        let common = (trace + 2.0 * f64::sqrt(determinant)).sqrt();
        let expected = 5.0 + 5.0 + 6.0 - 2.0 * common;
        let (a, b) = (moments([1.0, 0.0], a), moments([0.0, 2.0], b));
        for (from, to) in [(&a, &b), (&b, &a)] {
            assert!((Frechet::from(from).to(to).unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn the_distance_to_itself_is_zero() {
        // A rank-deficient covariance, as few images give.
        let flat = moments([7.0, -1.0], [4.0, 2.0, 2.0, 1.0]);
        assert!(Frechet::from(&flat).to(&flat).unwrap().abs() < 1e-12);
    }

    #[test]
    fn a_shift_counts_squared() {
        let at = |x| moments([x, 0.0], [3.0, 1.0, 1.0, 2.0]);
        assert!((Frechet::from(&at(1.0)).to(&at(4.0)).unwrap() - 9.0).abs() < 1e-12);
    }

    #[test]
    fn other_widths_are_refused() {
        let narrow = Moments::new(vec![0.0], vec![1.0]).unwrap();
        assert!(Frechet::from(&narrow).to(&moments([0.0; 2], [1.0, 0.0, 0.0, 1.0])).is_err());
    }
}
