//! Mean and covariance of vectors.

use nalgebra::{DMatrix, DVector};

use crate::BackendError;

/// Mean and covariance of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub(super) mean: DVector<f64>,
    /// Sample covariance, divided by n - 1.
    pub(super) covariance: DMatrix<f64>,
}

/// Vectors prepared for weighted means and covariances.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// One vector per column, minus the mean of all. Centring avoids cancellation.
    centred: DMatrix<f64>,
    mean: DVector<f64>,
}

impl Moments {
    /// Creates moments from a mean `[width]` and a covariance `[width, width]`, row-major.
    ///
    /// # Errors
    /// [`BackendError::Request`] if the covariance is not symmetric or its size does not match the mean, or if a value
    /// is not finite.
    pub fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Result<Self, BackendError> {
        let wrong = |reason: &str| Err(BackendError::Request(format!("invalid mean and covariance: {reason}")));
        let width = mean.len();
        if width == 0 || width.checked_mul(width) != Some(covariance.len()) {
            return wrong("the size of the covariance does not match the mean");
        }
        if !mean.iter().chain(&covariance).all(|value| value.is_finite()) {
            return wrong("a value is not finite");
        }
        let covariance = DMatrix::from_vec(width, width, covariance);
        let largest = covariance.amax();
        if (&covariance - covariance.transpose()).amax() > 1e-9 * largest {
            return wrong("the covariance is not symmetric");
        }
        Ok(Self { mean: DVector::from_vec(mean), covariance })
    }

    /// Computes the mean and the sample covariance (divided by n - 1) of vectors.
    ///
    /// # Shapes
    /// - `vectors`: `[n, width]`, row-major
    ///
    /// # Errors
    /// [`BackendError::Request`] for fewer than two vectors, an incomplete vector, or a value that is not finite.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::judge::Moments;
    /// let moments = Moments::of(&[0.0, 1.0, 2.0, 5.0], 2)?;
    /// assert_eq!((moments.mean(), moments.covariance()), (&[1.0, 3.0][..], &[2.0, 4.0, 4.0, 8.0][..]));
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn of(vectors: &[f64], width: usize) -> Result<Self, BackendError> {
        let sample = Sample::new(vectors, width)?;
        Ok(sample.moments(&vec![1; sample.len()]))
    }

    /// Mean, `[width]`.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// Covariance, `[width, width]`.
    pub fn covariance(&self) -> &[f64] {
        self.covariance.as_slice()
    }

    /// Number of values of a vector.
    pub fn width(&self) -> usize {
        self.mean.len()
    }
}

impl Sample {
    pub(super) fn new(vectors: &[f64], width: usize) -> Result<Self, BackendError> {
        let count = vectors.len() / width.max(1);
        if width == 0 || vectors.len() != count * width || count < 2 {
            return Err(BackendError::Request(format!(
                "a covariance needs at least two vectors, found {}, {} of width {width}",
                gtr_core::count(vectors.len(), "value"),
                gtr_core::count(count, "vector")
            )));
        }
        if !vectors.iter().all(|value| value.is_finite()) {
            return Err(BackendError::Request("a vector has a value that is not finite".to_owned()));
        }
        let mut centred = DMatrix::from_column_slice(width, count, vectors);
        let mean = centred.column_mean();
        for mut column in centred.column_iter_mut() {
            column -= &mean;
        }
        Ok(Self { centred, mean })
    }

    /// Number of vectors.
    pub(super) fn len(&self) -> usize {
        self.centred.ncols()
    }

    /// Returns the moments with vector `i` counted `times[i]` times.
    pub(super) fn moments(&self, times: &[u32]) -> Moments {
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
        Moments { mean: &self.mean + off, covariance }
    }
}

/// Converts a count to a float.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_two_equals_a_repeated_vector() {
        let sample = Sample::new(&[1e6, 0.0, 1e6 + 1.0, 2.0, 1e6 + 5.0, -1.0], 2).unwrap();
        let twice = sample.moments(&[2, 0, 1]);
        let written = Moments::of(&[1e6, 0.0, 1e6, 0.0, 1e6 + 5.0, -1.0], 2).unwrap();
        for (found, expected) in
            twice.mean().iter().chain(twice.covariance()).zip(written.mean().iter().chain(written.covariance()))
        {
            assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
        }
    }

    #[test]
    fn invalid_vectors_are_refused() {
        assert!(Moments::of(&[1.0, 2.0], 2).is_err());
        assert!(Moments::of(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(Moments::of(&[1.0, f64::NAN, 3.0, 4.0], 2).is_err());
        assert!(Moments::of(&[], 0).is_err());
        assert!(Moments::new(vec![0.0; 2], vec![1.0; 3]).is_err());
        assert!(Moments::new(vec![0.0; 2], vec![1.0, 0.5, 0.0, 1.0]).is_err());
        assert!(Moments::new(vec![f64::INFINITY], vec![1.0]).is_err());
    }
}
