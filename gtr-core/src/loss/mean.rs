//! Averages of losses.

use super::Loss;

/// Accumulates the mean of losses with the same steps, in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Mean {
    sum: Option<Loss>,
    totals: Vec<f64>,
}

impl Mean {
    pub(super) fn add(&mut self, loss: &Loss) {
        self.totals.push(loss.total);
        match &mut self.sum {
            None => self.sum = Some(loss.clone()),
            Some(sum) => {
                sum.total += loss.total;
                add_all(&mut sum.steps, &loss.steps);
                add_all(&mut sum.tokens, &loss.tokens);
            }
        }
    }

    /// Returns the mean and the standard error of its total; the standard error is 0 for a single loss.
    #[expect(clippy::cast_precision_loss, reason = "counts of images and classes are far below 2^53")]
    pub(super) fn finish(self) -> (Loss, f64) {
        let count = self.totals.len() as f64;
        let mut mean = self.sum.unwrap_or(Loss { total: 0.0, steps: Vec::new(), tokens: Vec::new() });
        mean.total /= count;
        for number in mean.steps.iter_mut().chain(&mut mean.tokens) {
            *number /= count;
        }
        if self.totals.len() < 2 {
            return (mean, 0.0);
        }
        let squares: f64 = self.totals.iter().map(|total| (total - mean.total).powi(2)).sum();
        (mean, (squares / (count - 1.0) / count).sqrt())
    }
}

fn add_all(sums: &mut [f64], numbers: &[f64]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        let mut mean = Mean::default();
        for total in [1.0, 2.0, 3.0, 6.0] {
            mean.add(&Loss { total, steps: vec![total], tokens: vec![total, 0.0] });
        }
        let (loss, error) = mean.finish();
        assert_eq!(loss, Loss { total: 3.0, steps: vec![3.0], tokens: vec![3.0, 0.0] });
        // (4 + 1 + 0 + 9) / 3 / 4.
        assert!((error - (14.0_f64 / 12.0).sqrt()).abs() < 1e-15);
    }
}
