//! Mean and covariance of vectors.

use gtr_linalg::{Sample, Symmetric};

use crate::BackendError;

/// Mean and covariance of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments(gtr_linalg::Moments);

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
        let Some(covariance) = Symmetric::new(width, covariance) else {
            return wrong("the covariance is not symmetric");
        };
        Ok(Self(gtr_linalg::Moments { mean, covariance }))
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
        let sample = sample(vectors, width)?;
        Ok(Self::weighted(&sample, &vec![1; vectors.len() / width]))
    }

    /// Computes the moments of a sample with vector `i` counted `times[i]` times.
    pub(super) fn weighted(sample: &Sample, times: &[u32]) -> Self {
        Self(sample.moments(times))
    }

    /// Mean, `[width]`.
    pub fn mean(&self) -> &[f64] {
        &self.0.mean
    }

    /// Covariance, `[width, width]`.
    pub fn covariance(&self) -> &[f64] {
        self.0.covariance.as_slice()
    }

    /// Number of values of a vector.
    pub fn width(&self) -> usize {
        self.0.mean.len()
    }

    pub(super) fn matrix(&self) -> &Symmetric {
        &self.0.covariance
    }
}

/// Prepares vectors, `[n, width]`, for weighted moments.
///
/// # Errors
/// [`BackendError::Request`] for fewer than two vectors, an incomplete vector, or a value that is not finite.
pub(super) fn sample(vectors: &[f64], width: usize) -> Result<Sample, BackendError> {
    if !vectors.iter().all(|value| value.is_finite()) {
        return Err(BackendError::Request("a vector has a value that is not finite".to_owned()));
    }
    Sample::new(vectors, width).ok_or_else(|| {
        BackendError::Request(format!(
            "a covariance needs at least two vectors, found {}, {} of width {width}",
            gtr_core::count(vectors.len(), "value"),
            gtr_core::count(vectors.len() / width.max(1), "vector")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
