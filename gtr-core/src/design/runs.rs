//! Loss of a stage for any division of its tokens into steps.

use gtr_linalg::Factor;

use crate::pace::even;

/// Loss of each run of consecutive tokens of a stage that are sampled in parallel, summed over orders and classes.
#[derive(Debug)]
pub(super) struct Runs {
    tokens: usize,
    /// Row `first`, column `last`: the loss of the tokens `first..=last`.
    losses: Vec<f64>,
    /// Number of summands.
    count: u32,
}

impl Runs {
    pub(super) fn new(tokens: usize) -> Self {
        Self { tokens, losses: vec![0.0; tokens * tokens], count: 0 }
    }

    /// Returns the number of tokens of the stage.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Adds the losses of one order of the tokens. `factor` is the factor of their covariance given all earlier stages.
    pub(super) fn add(&mut self, factor: &Factor) {
        // `run[first]` is the loss of the tokens `first..=last`.
        let mut run = vec![0.0; self.tokens];
        for last in 0..self.tokens {
            let mut together = factor.together(last);
            for first in (0..last).rev() {
                together.extend(first);
                run[first] += together.nats();
                self.losses[first * self.tokens + last] += run[first];
            }
        }
        self.count += 1;
    }

    /// Returns the mean loss of the stage in `steps` AR steps of equal size.
    pub(super) fn in_steps(&self, steps: usize) -> f64 {
        let (mut first, mut sum) = (0, 0.0);
        for tokens in even(self.tokens, steps) {
            sum += self.losses[first * self.tokens + first + tokens - 1];
            first += tokens;
        }
        sum / f64::from(self.count)
    }
}
