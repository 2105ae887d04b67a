//! Mean and covariance of vectors.

use nalgebra::{DMatrix, DVector};

use crate::Symmetric;

/// Mean and covariance of a distribution of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Mean, `[width]`.
    pub mean: Vec<f64>,
    /// Covariance, `[width, width]`.
    pub covariance: Symmetric,
}

/// Vectors prepared for weighted means and covariances.
///
/// # Examples
/// ```
/// use gtr_linalg::Sample;
///
/// let sample = Sample::new(&[0.0, 1.0, 2.0, 5.0], 2).expect("two vectors of width 2");
/// let moments = sample.moments(&[1, 1]);
/// assert_eq!((moments.mean, moments.covariance.as_slice()), (vec![1.0, 3.0], &[2.0, 4.0, 4.0, 8.0][..]));
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    /// One vector per column, minus the mean of all. Centring avoids cancellation.
    centred: DMatrix<f64>,
    mean: DVector<f64>,
}

impl Sample {
    /// Prepares vectors, `[n, width]`. Returns `None` for fewer than two vectors, or if a vector is incomplete.
    pub fn new(vectors: &[f64], width: usize) -> Option<Self> {
        let count = vectors.len().checked_div(width)?;
        if vectors.len() != count * width || count < 2 {
            return None;
        }
        let mut centred = DMatrix::from_column_slice(width, count, vectors);
        let mean = centred.column_mean();
        for mut column in centred.column_iter_mut() {
            column -= &mean;
        }
        Some(Self { centred, mean })
    }

    /// Returns the moments with vector `i` counted `times[i]` times. The covariance is divided by the sum of `times`, minus 1.
    pub fn moments(&self, times: &[u32]) -> Moments {
        let all = float(times.iter().map(|&times| u64::from(times)).sum());
        let mut weighted = self.centred.clone();
        for (mut column, &times) in weighted.column_iter_mut().zip(times) {
            column *= f64::from(times);
        }
        let off = weighted.column_sum() / all;
        let products = &weighted * self.centred.transpose();
        let covariance = (products - (&off * off.transpose()) * all) / (all - 1.0);
        // Symmetrise: rounding differs above and below the diagonal.
        let covariance = (&covariance + covariance.transpose()) / 2.0;
        let mean = (&self.mean + off).as_slice().to_vec();
        Moments { mean, covariance: Symmetric(covariance) }
    }
}

/// Converts a count to a float.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_two_equals_a_repeated_vector() {
        let sample = Sample::new(&[1e6, 0.0, 1e6 + 1.0, 2.0, 1e6 + 5.0, -1.0], 2).unwrap();
        let twice = sample.moments(&[2, 0, 1]);
        let written = Sample::new(&[1e6, 0.0, 1e6, 0.0, 1e6 + 5.0, -1.0], 2).unwrap().moments(&[1; 3]);
        let (found, expected) = (twice.covariance.as_slice(), written.covariance.as_slice());
        for (found, expected) in twice.mean.iter().chain(found).zip(written.mean.iter().chain(expected)) {
            assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
        }
    }

    #[test]
    fn too_few_and_incomplete_vectors_are_refused() {
        assert!(Sample::new(&[1.0, 2.0], 2).is_none());
        assert!(Sample::new(&[1.0, 2.0, 3.0], 2).is_none());
        assert!(Sample::new(&[], 0).is_none());
    }
}
