//! Measured values with bootstrap confidence intervals.

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A statistic of a set of images, with its values on bootstrap resamples.
///
/// # Examples
/// ```
/// use gtr_backends::judge::Measured;
/// let measured = Measured::new(5.0, (0..=100).map(|it| 6.0 + f64::from(it) / 100.0).collect());
/// let interval = measured.interval();
/// assert!((interval.low - 4.525).abs() < 1e-9 && (interval.high - 5.475).abs() < 1e-9);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    value: f64,
    resamples: Vec<f64>,
}

impl Measured {
    /// Creates a measured value from the value and its resamples.
    pub fn new(value: f64, resamples: Vec<f64>) -> Self {
        Self { value, resamples }
    }

    /// Values of the resamples.
    pub(super) fn resamples(&self) -> &[f64] {
        &self.resamples
    }

    /// The 2.5 % to 97.5 % percentile interval; infinite if there are no numbers.
    pub(super) fn percentiles(mut numbers: Vec<f64>) -> Interval {
        numbers.sort_by(f64::total_cmp);
        if numbers.is_empty() {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        Interval { low: quantile(&numbers, 0.025), high: quantile(&numbers, 0.975) }
    }

    /// The measured value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Mean of the resamples. For a distance it is biased upwards: see [`Measured::interval`].
    pub fn mean(&self) -> f64 {
        mean(&self.resamples)
    }

    /// 95 % confidence interval: the percentile interval of the resamples, shifted so that their mean is the value.
    ///
    /// A resample has fewer distinct images than the set, and a Fréchet distance grows with fewer images. The resamples
    /// are therefore biased upwards, and their percentile interval may not contain the value. The shifted interval
    /// describes the variation between sets of the same number of images. It does not remove the bias of a finite
    /// number of images.
    pub fn interval(&self) -> Interval {
        let mut sorted = self.resamples.clone();
        sorted.sort_by(f64::total_cmp);
        let moved = self.value - mean(&sorted);
        let end = |share| quantile(&sorted, share) + moved;
        if sorted.is_empty() {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        Interval { low: end(0.025), high: end(0.975) }
    }

    /// Difference of two values with paired resamples.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let resamples = self.resamples.iter().zip(&other.resamples).map(|(ours, theirs)| ours - theirs);
        Self { value: self.value - other.value, resamples: resamples.collect() }
    }
}

impl Interval {
    /// Returns true if a number is inside the interval, ends included.
    pub fn contains(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / super::float(numbers.len() as u64)
}

/// Quantile of sorted numbers, linearly interpolated.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index in bounds")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * super::float(last as u64);
    let (below, part) = (place.floor(), place.fract());
    let at = |place: usize| sorted[place.min(last)];
    at(below as usize) * (1.0 - part) + at(below as usize + 1) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_taken_resample_by_resample() {
        let noise = |offset: f64| (0..50).map(move |it| offset + f64::from(it * 7 % 50)).collect::<Vec<_>>();
        let (a, b) = (Measured::new(10.0, noise(12.0)), Measured::new(9.0, noise(11.0)));
        let difference = a.minus(&b).interval();
        // Common variation cancels.
        assert!((difference.low - 1.0).abs() < 1e-9 && (difference.high - 1.0).abs() < 1e-9);
        assert!(a.interval().high - a.interval().low > 40.0);
    }

    #[test]
    fn without_resamples_the_interval_is_infinite() {
        assert!(Measured::new(1.0, vec![]).interval().contains(1e300));
    }
}
