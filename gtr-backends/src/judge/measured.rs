//! A number, and how sure it is.

/// Two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A number of some images, and what it came to when images were drawn from them anew.
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
    /// A number and its resamples.
    pub fn new(value: f64, resamples: Vec<f64>) -> Self {
        Self { value, resamples }
    }

    /// What it came to when images were drawn anew.
    pub(super) fn resamples(&self) -> &[f64] {
        &self.resamples
    }

    /// The middle 95 % of numbers, all there are of none.
    pub(super) fn percentiles(mut numbers: Vec<f64>) -> Interval {
        numbers.sort_by(f64::total_cmp);
        if numbers.is_empty() {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        Interval { low: quantile(&numbers, 0.025), high: quantile(&numbers, 0.975) }
    }

    /// The number.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The mean of the resamples, which lies above a distance: see [`Measured::interval`].
    pub fn mean(&self) -> f64 {
        mean(&self.resamples)
    }

    /// Where the number lies at 95 %: the middle of the resamples, moved so that their mean is the number.
    ///
    /// A distance grows when images are drawn anew, as it does when there are fewer of them: few images spread less than
    /// what they are drawn from. The resamples therefore lie above the number, and their own percentiles would be an
    /// interval that may not even hold it. Moved, they say how far the number would lie from its mean over other sets of as
    /// many images; it says nothing of infinitely many.
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

    /// The difference of two numbers whose resamples drew the same images.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let resamples = self.resamples.iter().zip(&other.resamples).map(|(ours, theirs)| ours - theirs);
        Self { value: self.value - other.value, resamples: resamples.collect() }
    }
}

impl Interval {
    /// Whether a number lies inside.
    pub fn contains(&self, number: f64) -> bool {
        (self.low..=self.high).contains(&number)
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / super::moments::float(numbers.len() as u64)
}

/// Of numbers in order, between the two that are nearest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place between the first and the last")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * super::moments::float(last as u64);
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
        let apart = a.minus(&b).interval();
        // What both have in common cancels.
        assert!((apart.low - 1.0).abs() < 1e-9 && (apart.high - 1.0).abs() < 1e-9);
        assert!(a.interval().high - a.interval().low > 40.0);
    }

    #[test]
    fn without_resamples_nothing_is_known() {
        assert!(Measured::new(1.0, vec![]).interval().contains(1e300));
    }
}
