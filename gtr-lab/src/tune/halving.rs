//! Successive halving: measures all candidates on few images, the better half on twice as many, and so on.
//!
//! Source: Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits (2013).

/// Size of the first round.
///
/// # Examples
/// ```
/// use gtr_lab::tune::Halving;
/// let halving = Halving { candidates: 8, images: 10 };
/// let rounds = halving.run(|candidates, _, _| {
///     Ok::<_, ()>(candidates.iter().map(|&candidate| if candidate == 5 { 0.0 } else { 1.0 }).collect())
/// });
/// assert_eq!(rounds.unwrap().last().unwrap().ranking[0].0, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halving {
    /// Number of candidates.
    pub candidates: usize,
    /// Images per candidate.
    pub images: u64,
}

/// Result of a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Images per candidate.
    pub images: u64,
    /// Candidates and their scores, the best first.
    pub ranking: Vec<(usize, f64)>,
}

impl Halving {
    /// Returns the size of each round. The last round has two candidates, unless there is only one.
    pub fn rounds(self) -> impl Iterator<Item = Self> {
        let next = |it: &Self| {
            let next = Self { candidates: it.candidates.div_ceil(2), images: it.images.saturating_mul(2) };
            (it.candidates > 2).then_some(next)
        };
        std::iter::successors((self.candidates > 0).then_some(self), next)
    }

    /// Runs the rounds. `score` gets candidates, their number of images, and the number of images that later rounds need; it returns
    /// a score per candidate, lower is better. Ties go to the first candidate. A candidate with an infinite score always drops out.
    ///
    /// # Errors
    /// Errors of `score`.
    pub fn run<E>(self, mut score: impl FnMut(&[usize], u64, u64) -> Result<Vec<f64>, E>) -> Result<Vec<Round>, E> {
        let mut left: Vec<usize> = (0..self.candidates).collect();
        let mut measured = Vec::new();
        for round in self.rounds() {
            left.truncate(round.candidates);
            left.sort_unstable();
            let scores = score(&left, round.images, self.after(round.images))?;
            let mut ranking: Vec<(usize, f64)> = left.iter().copied().zip(scores).collect();
            ranking.sort_by(|a, b| a.1.total_cmp(&b.1));
            left =
                ranking.iter().filter(|(_, score)| *score != f64::INFINITY).map(|(candidate, _)| *candidate).collect();
            measured.push(Round { images: round.images, ranking });
            if left.is_empty() {
                break;
            }
        }
        Ok(measured)
    }

    /// Returns the images that later rounds add; half of the images of a round come from the round before.
    fn after(self, images: u64) -> u64 {
        let later = self.rounds().filter(|round| round.images > images);
        later.map(|round| round.candidates as u64 * (round.images / 2)).sum()
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_half_the_candidates_and_twice_the_images() {
        let rounds = |candidates| {
            let halving = Halving { candidates, images: 10 };
            halving.rounds().map(|round| (round.candidates, round.images)).collect::<Vec<_>>()
        };
        assert_eq!(rounds(9), [(9, 10), (5, 20), (3, 40), (2, 80)]);
        assert_eq!(rounds(2), [(2, 10)]);
        assert_eq!(rounds(1), [(1, 10)]);
        assert_eq!(rounds(0), []);
        assert_eq!(Halving { candidates: 9, images: 10 }.after(20), 3 * 20 + 2 * 40);
    }

    /// Returns scores |c - 37| of candidates c, with noise that decreases with the number of images.
    fn noisy(noise: f64, candidates: &[usize], images: u64) -> Vec<f64> {
        let score = |&candidate: &usize| {
            let sign = if candidate.is_multiple_of(2) { 1.0 } else { -1.0 };
            (candidate as f64 - 37.0).abs() + sign * noise / (images as f64).sqrt()
        };
        candidates.iter().map(score).collect()
    }

    fn winner(noise: f64) -> usize {
        let halving = Halving { candidates: 64, images: 10 };
        let run = |candidates: &[usize], images, _| Ok::<_, ()>(noisy(noise, candidates, images));
        halving.run(run).unwrap().last().unwrap().ranking[0].0
    }

    #[test]
    fn the_known_best_is_found() {
        assert_eq!(winner(0.0), 37);
        assert_eq!(winner(5.0), 37);
    }

    #[test]
    fn another_score_selects_another_candidate() {
        let against = |candidates: &[usize], _, _| Ok::<_, ()>(candidates.iter().map(|it| *it as f64).collect());
        assert_eq!(Halving { candidates: 64, images: 10 }.run(against).unwrap().last().unwrap().ranking[0].0, 0);
    }

    #[test]
    fn ties_go_to_the_first_and_nan_ranks_last() {
        let tie = |candidates: &[usize], _, _| {
            Ok::<_, ()>(candidates.iter().map(|it| if *it == 0 { f64::NAN } else { 1.0 }).collect())
        };
        let rounds = Halving { candidates: 8, images: 1 }.run(tie).unwrap();
        assert_eq!(rounds[0].ranking[0].0, 1);
        assert_eq!(rounds[0].ranking[7].0, 0);
        assert_eq!(rounds.last().unwrap().ranking[0].0, 1);
    }

    #[test]
    fn infinite_scores_drop_out() {
        let only = |left: &[usize], _, _| {
            Ok::<_, ()>(left.iter().map(|&it| if it == 6 { 1.0 } else { f64::INFINITY }).collect())
        };
        let rounds = Halving { candidates: 8, images: 1 }.run(only).unwrap();
        assert_eq!(rounds.iter().map(|round| round.ranking.len()).collect::<Vec<_>>(), [8, 1, 1]);
        assert_eq!(rounds.last().unwrap().ranking[0], (6, 1.0));
        let none = |left: &[usize], _, _| Ok::<_, ()>(vec![f64::INFINITY; left.len()]);
        assert_eq!(Halving { candidates: 8, images: 1 }.run(none).unwrap().len(), 1);
    }

    #[test]
    fn errors_stop_the_search() {
        let mut calls = 0;
        let fails = |_: &[usize], images, _| {
            calls += 1;
            if images > 10 { Err("enough") } else { Ok(vec![0.0; 8]) }
        };
        assert_eq!(Halving { candidates: 8, images: 10 }.run(fails), Err("enough"));
        assert_eq!(calls, 2);
    }
}
