//! Importance score of a token, computed from the spectrum of its conditioning vector.

use std::fmt;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Scores conditioning vectors of a fixed length by their spectrum.
///
/// With F the discrete Fourier transform of a vector of length D, h = floor(D / 2) and A(n) = |F(n)|, the score is the
/// sum over n = 1..h (inclusive) of A(n) (1 + n / h): a sum of amplitudes that gives higher frequencies more weight.
/// The mean (n = 0) is ignored. Vectors of length 0 and 1 score 0.
///
/// # Examples
/// ```
/// let mut spectrum = gtr_core::Spectrum::new(4);
/// assert_eq!(spectrum.score(&[1.0, 1.0, 1.0, 1.0]), 0.0);
/// assert_eq!(spectrum.score(&[1.0, -1.0, 1.0, -1.0]), 8.0);
/// ```
///
/// # Source
/// GtR (arXiv 2510.17171), section 3.3, equation 5.
pub struct Spectrum {
    transform: Arc<dyn Fft<f64>>,
    values: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spectrum").field("width", &self.values.len()).finish_non_exhaustive()
    }
}

impl Spectrum {
    /// Creates a scorer for vectors of length `width`.
    pub fn new(width: usize) -> Self {
        let transform = FftPlanner::new().plan_fft_forward(width);
        let zero = Complex::new(0.0, 0.0);
        Self { values: vec![zero; width], scratch: vec![zero; transform.get_inplace_scratch_len()], transform }
    }

    /// Returns the score of one vector.
    ///
    /// # Panics
    /// Panics if the length of `vector` is not the `width` passed to [`Spectrum::new`].
    #[expect(clippy::cast_precision_loss, reason = "conditioning vectors are far shorter than 2^53")]
    pub fn score(&mut self, vector: &[f32]) -> f64 {
        assert_eq!(vector.len(), self.values.len(), "the length of the conditioning vector");
        for (value, &real) in self.values.iter_mut().zip(vector) {
            *value = Complex::new(f64::from(real), 0.0);
        }
        self.transform.process_with_scratch(&mut self.values, &mut self.scratch);
        let half = vector.len() / 2;
        let weigh = |(bin, value): (usize, &Complex<f64>)| {
            (value.re * value.re + value.im * value.im).sqrt() * (1.0 + bin as f64 / half as f64)
        };
        self.values.iter().enumerate().skip(1).take(half).map(weigh).sum()
    }
}

/// Returns the score of each row of `features`, which has shape `[rows, width]`.
pub(super) fn scores(features: &[f32], width: usize) -> Vec<f64> {
    let mut spectrum = Spectrum::new(width);
    features.chunks_exact(width.max(1)).map(|vector| spectrum.score(vector)).collect()
}
