//! Whether numbers that were predicted order what was measured.

use gtr_core::{ImageIndex, Seed, Stream};

use super::{Interval, Measured, RESAMPLING};

/// Spearman's rank correlation: 1 if two lists of numbers have the same order, -1 if they have opposite ones. Equal numbers share
/// their ranks. Not a number for fewer than two numbers, or where all of a list are equal.
///
/// # Panics
/// If the lists are of different lengths.
///
/// # Examples
/// ```
/// use gtr_backends::judge::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), 1.0);
/// assert_eq!(spearman(&[1.0, 2.0, 9.0], &[3.0, 2.0, 1.0]), -1.0);
/// assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
/// ```
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "each number of a list has one in the other");
    let (a, b) = (ranks(a), ranks(b));
    let middle = f64::midpoint(super::moments::float(a.len() as u64), 1.0);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// Where the rank correlation of predicted and measured numbers lies at 95 %. The pairs are drawn anew, with as many pairs each
/// time, and each measured number is the one of a draw of its images: what is uncertain is both which pairs were chosen and
/// what was measured of them. One draw for each resample of the measured numbers.
///
/// # Panics
/// If the lists are of different lengths.
pub fn spearman_interval(predicted: &[f64], measured: &[&Measured], seed: Seed) -> Interval {
    assert_eq!(predicted.len(), measured.len(), "each prediction has a measurement");
    let pairs = predicted.len();
    let draws = measured.iter().map(|it| it.resamples().len()).min().unwrap_or(0);
    let mut correlations = Vec::with_capacity(draws);
    for draw in 0..draws {
        // A group that no image is in.
        let mut stream = Stream::new(seed, RESAMPLING, ImageIndex(draw as u64), u64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "a place in a list")]
        let places: Vec<usize> = (0..pairs).map(|_| stream.below(pairs as u64) as usize).collect();
        let of = |at: &usize| (predicted[*at], measured[*at].resamples()[draw]);
        let (a, b): (Vec<f64>, Vec<f64>) = places.iter().map(of).unzip();
        correlations.push(spearman(&a, &b));
    }
    // Draws of one pair alone have no order.
    correlations.retain(|correlation| correlation.is_finite());
    Measured::percentiles(correlations)
}

/// The rank of each number from 1; equal ones have the mean of theirs.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    while first < order.len() {
        let same = order[first..].iter().take_while(|at| numbers[**at] == numbers[order[first]]).count().max(1);
        let rank = super::moments::float(2 * first as u64 + same as u64 + 1) / 2.0;
        order[first..first + same].iter().for_each(|&at| ranks[at] = rank);
        first += same;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_their_ranks() {
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
