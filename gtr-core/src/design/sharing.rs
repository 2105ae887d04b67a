//! Optimal division of AR steps among stages.

/// Optimal divisions of AR steps among stages with additive losses, by dynamic programming.
#[derive(Debug)]
pub(super) struct Sharing {
    /// `best[stage][steps]`: the lowest loss of the stages up to `stage` in `steps` steps, and the number of steps of
    /// `stage`.
    best: Vec<Vec<Option<(f64, usize)>>>,
    /// `ways[steps]`: the number of divisions of `steps` steps.
    ways: Vec<u64>,
}

impl Sharing {
    /// Solves the problem for up to `most` steps. `losses[stage][n - 1]` is the loss of a stage in `n` steps.
    pub(super) fn new(losses: &[Vec<f64>], most: usize) -> Self {
        let mut best: Vec<Vec<Option<(f64, usize)>>> = Vec::with_capacity(losses.len());
        for stage in losses {
            let before = |steps: usize| match best.last() {
                Some(best) => best[steps].map(|(loss, _)| loss),
                None => (steps == 0).then_some(0.0),
            };
            let of = |steps: usize| {
                let shares = (1..=stage.len().min(steps))
                    .filter_map(|share| before(steps - share).map(|loss| (loss + stage[share - 1], share)));
                shares.min_by(|a, b| a.0.total_cmp(&b.0))
            };
            let row = (0..=most).map(of).collect();
            best.push(row);
        }
        let mut ways = vec![0_u64; most + 1];
        ways[0] = 1;
        for stage in losses {
            let of = |steps: usize| {
                (1..=stage.len().min(steps)).fold(0_u64, |sum, share| sum.saturating_add(ways[steps - share]))
            };
            ways = (0..=most).map(of).collect();
        }
        Self { best, ways }
    }

    /// Returns the number of possible divisions.
    pub(super) fn ways(&self, steps: usize) -> u64 {
        self.ways.get(steps).copied().unwrap_or(0)
    }

    /// Returns the lowest loss in `steps` steps, or `None` if there is no division with one to n steps per stage of n
    /// tokens.
    pub(super) fn loss(&self, steps: usize) -> Option<f64> {
        self.best.last()?.get(steps)?.map(|(loss, _)| loss)
    }

    /// Returns the number of steps of each stage in the optimal division.
    pub(super) fn shares(&self, mut steps: usize) -> Vec<usize> {
        let mut shares = Vec::with_capacity(self.best.len());
        for stage in self.best.iter().rev() {
            let share = stage.get(steps).copied().flatten().map_or(0, |(_, share)| share);
            shares.push(share);
            steps -= share;
        }
        shares.reverse();
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optimum_equals_that_of_an_exhaustive_search() {
        let losses = [vec![5.0, 2.0, 1.4], vec![4.0], vec![9.0, 8.0, 1.0, 0.5]];
        let sharing = Sharing::new(&losses, 9);
        for steps in 0..=9 {
            let mut all = Vec::new();
            for a in 1..=3 {
                for c in 1..=4 {
                    if a + 1 + c == steps {
                        all.push((losses[0][a - 1] + 4.0 + losses[2][c - 1], vec![a, 1, c]));
                    }
                }
            }
            assert_eq!(sharing.ways(steps), all.len() as u64);
            let least = all.iter().min_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(sharing.loss(steps), least.map(|(loss, _)| *loss), "{steps}");
            if let Some((_, shares)) = least {
                assert_eq!(&sharing.shares(steps), shares);
            }
        }
    }
}
