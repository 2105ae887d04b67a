//! Successive halving: all candidates on few images, the better half on twice as many, until one is left.
//!
//! Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits (2013).

/// How many candidates are measured first, on how many images.
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
    /// How many candidates are measured in the first round.
    pub candidates: usize,
    /// Images of each of them.
    pub images: u64,
}

/// A round that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Of each candidate.
    pub images: u64,
    /// Candidates and their scores, the best first.
    pub ranking: Vec<(usize, f64)>,
}

impl Halving {
    /// Candidates and images of each round; the last has two candidates, unless there is only one.
    pub fn rounds(self) -> impl Iterator<Item = Self> {
        let next = |it: &Self| {
            let next = Self { candidates: it.candidates.div_ceil(2), images: it.images.saturating_mul(2) };
            (it.candidates > 2).then_some(next)
        };
        std::iter::successors((self.candidates > 0).then_some(self), next)
    }

    /// Carries it out. `score` measures candidates on some images, lower is better, and is told how many images are still to
    /// be made after them; ties go to the candidate that comes first. One whose score is infinite drops out, whoever else is
    /// left.
    ///
    /// # Errors
    /// What `score` says.
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

    /// Images of the rounds with more images than this: half of them are there from the round before.
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
    fn half_goes_on_to_twice_the_images() {
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

    /// The quality of candidate c is |c - 37|, and noise that falls with the images.
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
    fn another_score_finds_another() {
        let against = |candidates: &[usize], _, _| Ok::<_, ()>(candidates.iter().map(|it| *it as f64).collect());
        assert_eq!(Halving { candidates: 64, images: 10 }.run(against).unwrap().last().unwrap().ranking[0].0, 0);
    }

    #[test]
    fn ties_go_to_the_first_and_numbers_that_are_none_lose() {
        let tie = |candidates: &[usize], _, _| {
            Ok::<_, ()>(candidates.iter().map(|it| if *it == 0 { f64::NAN } else { 1.0 }).collect())
        };
        let rounds = Halving { candidates: 8, images: 1 }.run(tie).unwrap();
        assert_eq!(rounds[0].ranking[0].0, 1);
        assert_eq!(rounds[0].ranking[7].0, 0);
        assert_eq!(rounds.last().unwrap().ranking[0].0, 1);
    }

    #[test]
    fn what_is_infinite_drops_out() {
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
    fn what_fails_ends_it() {
        let mut calls = 0;
        let fails = |_: &[usize], images, _| {
            calls += 1;
            if images > 10 { Err("enough") } else { Ok(vec![0.0; 8]) }
        };
        assert_eq!(Halving { candidates: 8, images: 10 }.run(fails), Err("enough"));
        assert_eq!(calls, 2);
    }
}
