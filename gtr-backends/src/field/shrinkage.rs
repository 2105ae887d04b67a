//! Shrinkage of a covariance that is estimated from few samples.

/// Returns the weight of `trace / dimensions * identity` in the shrunk covariance, by oracle approximating shrinkage
/// (OAS). It is between 0 (many samples) and 1 (too few samples).
///
/// `trace` is the trace of the estimate, `squares` the sum of its squared values, `samples` the number of samples.
///
/// # Source
/// Chen, Wiesel, Eldar and Hero, Shrinkage algorithms for MMSE covariance estimation (arXiv 0907.4698), equation 23.
///
/// # Examples
/// ```
/// // The estimate is already a multiple of the identity.
/// assert_eq!(gtr_backends::field::oas(2.0, 2.0, 2, 100), 1.0);
/// assert!(gtr_backends::field::oas(2.0, 3.5, 2, 1_000_000) < 1e-5);
/// ```
pub fn oas(trace: f64, squares: f64, dimensions: usize, samples: usize) -> f64 {
    let [dimensions, samples] = [dimensions, samples].map(gtr_core::float);
    let above = (1.0 - 2.0 / dimensions) * squares + trace * trace;
    let below = (samples + 1.0 - 2.0 / dimensions) * (squares - trace * trace / dimensions);
    if below > 0.0 { (above / below).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_samples_shrink_more() {
        let shares: Vec<f64> = [2, 10, 100, 10_000].map(|samples| oas(4.0, 9.0, 4, samples)).to_vec();
        assert!(shares.is_sorted_by(|more, less| more > less), "{shares:?}");
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        // By hand: (0.5 * 9 + 16) / ((100 + 1 - 0.5) * (9 - 4)).
        assert!((shares[2] - 20.5 / 502.5).abs() < 1e-15);
    }
}
