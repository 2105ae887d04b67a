//! Rank correlation of predicted and measured values.

use gtr_core::{ImageIndex, Seed, Stream};

use super::{Interval, Measured, RESAMPLING};

/// Spearman's rank correlation: 1 for the same order, -1 for the opposite order. Ties get their mean rank. Returns NaN
/// for fewer than two values, or if all values of a list are equal.
///
/// # Panics
/// If the lists have different lengths.
///
/// # Examples
/// ```
/// use gtr_backends::judge::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), 1.0);
/// assert_eq!(spearman(&[1.0, 2.0, 9.0], &[3.0, 2.0, 1.0]), -1.0);
/// assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
/// ```
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "the lists have the same length");
    let (a, b) = (ranks(a), ranks(b));
    let middle = f64::midpoint(super::float(a.len() as u64), 1.0);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// 95 % bootstrap confidence interval of the rank correlation of predicted and measured values. Each resample draws
/// pairs with replacement and takes the measured values from one resample of their images. The interval thus covers
/// both the choice of pairs and the uncertainty of each measurement. There is one resample per resample of the measured
/// values.
///
/// # Panics
/// If the lists have different lengths.
pub fn spearman_interval(predicted: &[f64], measured: &[&Measured], seed: Seed) -> Interval {
    assert_eq!(predicted.len(), measured.len(), "the lists have the same length");
    let pairs = predicted.len();
    let draws = measured.iter().map(|it| it.resamples().len()).min().unwrap_or(0);
    let mut correlations = Vec::with_capacity(draws);
    for draw in 0..draws {
        // A group number that is not used for images.
        let mut stream = Stream::new(seed, RESAMPLING, ImageIndex(draw as u64), u64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "an index")]
        let places: Vec<usize> = (0..pairs).map(|_| stream.below(pairs as u64) as usize).collect();
        let of = |at: &usize| (predicted[*at], measured[*at].resamples()[draw]);
        let (a, b): (Vec<f64>, Vec<f64>) = places.iter().map(of).unzip();
        correlations.push(spearman(&a, &b));
    }
    // A resample of one repeated pair has no correlation.
    correlations.retain(|correlation| correlation.is_finite());
    Measured::percentiles(correlations)
}

/// Returns the rank of each number, from 1. Ties get their mean rank.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    while first < order.len() {
        let same = order[first..].iter().take_while(|at| numbers[**at] == numbers[order[first]]).count().max(1);
        let rank = super::float(2 * first as u64 + same as u64 + 1) / 2.0;
        order[first..first + same].iter().for_each(|&at| ranks[at] = rank);
        first += same;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
        assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn noise_and_few_pairs_widen_the_interval() {
        let predicted: Vec<f64> = (0..12).map(f64::from).collect();
        let measured = |noise: f64| -> Vec<Measured> {
            let wobble = move |pair: u32, draw: u32| noise * f64::from((pair * 37 + draw * 101) % 17);
            let one =
                |pair: u32| Measured::new(pair.into(), (0..200).map(|it| f64::from(pair) + wobble(pair, it)).collect());
            (0..12).map(one).collect()
        };
        let interval = |measured: &[Measured], pairs: usize| {
            let some: Vec<&Measured> = measured.iter().take(pairs).collect();
            spearman_interval(&predicted[..pairs], &some, Seed(0))
        };
        let width = |it: Interval| it.high - it.low;
        let (exact, noisy) = (measured(0.0), measured(0.5));
        assert!((interval(&exact, 12).low - 1.0).abs() < 1e-12);
        assert!(interval(&noisy, 12).high < 1.0);
        assert!(width(interval(&noisy, 6)) > width(interval(&noisy, 12)) && width(interval(&noisy, 12)) > 0.0);
    }
}
