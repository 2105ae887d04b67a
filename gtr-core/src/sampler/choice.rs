//! The choice of the drawn tokens that a step of a ranked stage keeps.

use std::borrow::Cow;

use super::{Batch, SampleError};
use crate::noise::choice_noise;
use crate::{Capability, HeadRow, MaskedGenerator, Seed, Step, Targets, TokenIndex, TokenRanker};

/// The ability of a model with tokens `T` and errors `E` to rank drawn tokens.
type Ranker<'a, T, E> = &'a dyn TokenRanker<Tokens = T, Error = E>;

/// The tokens that a step generates.
pub(super) struct Kept<'c, T> {
    pub(super) targets: Cow<'c, Targets>,
    /// Rows of the head, in the order of the targets.
    pub(super) rows: Vec<HeadRow>,
    /// Values of the rows.
    pub(super) values: T,
}

impl<P: Clone, I: Clone, O> Batch<'_, P, I, O> {
    /// Returns the drawn rows that a step keeps: all of them, or, if it has fewer tokens than candidates, those with the
    /// highest confidence plus noise.
    pub(super) fn keep<'c, G: MaskedGenerator, F>(
        &self,
        generator: &G,
        (index, step): (usize, &Step),
        candidates: &'c Targets,
        (rows, values): (Vec<HeadRow>, G::Tokens),
    ) -> Result<Kept<'c, G::Tokens>, SampleError<G::Error, F>> {
        let per_image = candidates.per_image();
        if step.tokens() == per_image {
            return Ok(Kept { targets: Cow::Borrowed(candidates), rows, values });
        }
        let ranker = generator.token_ranker().ok_or(SampleError::Unsupported(Capability::Confidence))?;
        let confidence = self.confidence(ranker, index, &rows, &values)?;
        let ranking = self.ranking(index, step);
        let images = rows.chunks_exact(per_image).zip(confidence.chunks_exact(per_image));
        let chosen = images.zip((0..).step_by(per_image)).flat_map(|((rows, confidence), first)| {
            let positions = ranking.first(step.tokens(), rows, confidence);
            positions.into_iter().map(move |position| first + position)
        });
        let chosen: Vec<usize> = chosen.collect();
        let values = ranker.keep(values, &chosen).map_err(SampleError::Model)?;
        let rows: Vec<HeadRow> = chosen.iter().map(|&row| rows[row]).collect();
        self.check_kept(ranker, index, (&rows, &values), chosen.iter().map(|&row| confidence[row]))?;
        let tokens: Vec<TokenIndex> = rows.iter().map(|row| row.token).collect();
        let targets = Cow::Owned(Targets::new(tokens.chunks_exact(step.tokens())));
        Ok(Kept { targets, rows, values })
    }

    /// Returns the confidence of each row.
    fn confidence<T, E, F>(
        &self,
        ranker: Ranker<'_, T, E>,
        index: usize,
        rows: &[HeadRow],
        values: &T,
    ) -> Result<Vec<f32>, SampleError<E, F>> {
        let confidence = ranker.confidence(values).map_err(SampleError::Model)?;
        if confidence.len() != rows.len() {
            let (found, expected) = (confidence.len(), rows.len());
            return Err(SampleError::Count { what: "confidences", found, expected });
        }
        match rows.iter().zip(&confidence).find(|(_, confidence)| confidence.is_nan()) {
            None => Ok(confidence),
            Some((&HeadRow { image, token, .. }, _)) => {
                Err(SampleError::Confidence { image, token, step: index + 1, steps: self.sampler.plan.steps().len() })
            }
        }
    }

    /// Returns an error if the rows that a model has kept do not have the confidences of the chosen ones.
    fn check_kept<T, E, F>(
        &self,
        ranker: Ranker<'_, T, E>,
        index: usize,
        (rows, values): (&[HeadRow], &T),
        chosen: impl Iterator<Item = f32>,
    ) -> Result<(), SampleError<E, F>> {
        let kept = self.confidence(ranker, index, rows, values)?;
        let differs = |((_, kept), chosen): &((&HeadRow, f32), f32)| kept.to_bits() != chosen.to_bits();
        match rows.iter().zip(kept).zip(chosen).find(differs) {
            None => Ok(()),
            Some(((&HeadRow { image, token, .. }, _), _)) => {
                Err(SampleError::OtherRow { image, token, step: index + 1, steps: self.sampler.plan.steps().len() })
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 2^24 steps")]
    fn ranking(&self, index: usize, step: &Step) -> Ranking {
        let plan = self.sampler.plan;
        let left = 1.0 - (index + 1) as f64 / plan.steps().len() as f64;
        Ranking { seed: self.seed(plan.role(step)), step: index, temperature: self.sampler.choice_temperature * left }
    }
}

/// Ranks the candidates of an AR step.
#[derive(Debug)]
struct Ranking {
    seed: Seed,
    /// Index of the step in the plan.
    step: usize,
    /// Factor of the noise in this step.
    temperature: f64,
}

impl Ranking {
    /// Returns the positions of the `count` rows of an image with the highest scores, ascending. Ties go to the lower
    /// token.
    fn first(&self, count: usize, rows: &[HeadRow], confidence: &[f32]) -> Vec<usize> {
        let scored = rows.iter().zip(confidence).map(|(row, &confidence)| (self.score(row, confidence), row.token));
        let mut ranked: Vec<((f64, TokenIndex), usize)> = scored.zip(0..).collect();
        ranked.sort_unstable_by(|((a, first), _), ((b, second), _)| b.total_cmp(a).then(first.cmp(second)));
        let mut positions: Vec<usize> = ranked.into_iter().take(count).map(|(_, position)| position).collect();
        positions.sort_unstable();
        positions
    }

    fn score(&self, row: &HeadRow, confidence: f32) -> f64 {
        let noise = if self.temperature > 0.0 {
            self.temperature * choice_noise(self.seed, row.image, row.token, self.step)
        } else {
            0.0
        };
        f64::from(confidence) + noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grid, ImageIndex};

    fn first(temperature: f64, image: u64, count: usize, confidence: &[f32]) -> Vec<usize> {
        let row = |token| HeadRow { image: ImageIndex(image), token, group: 0 };
        let rows: Vec<HeadRow> = Grid::new(8, 8).unwrap().iter().take(confidence.len()).map(row).collect();
        Ranking { seed: Seed(0), step: 3, temperature }.first(count, &rows, confidence)
    }

    #[test]
    fn the_most_confident_rows_are_first_and_ties_go_to_the_lower_token() {
        assert_eq!(first(0.0, 0, 2, &[-3.0, -1.0, -2.0, -1.5]), [1, 3]);
        assert_eq!(first(0.0, 0, 2, &[-1.0, 0.0, -0.0, 0.0]), [1, 2]);
        assert_eq!(first(0.0, 0, 2, &[f32::NEG_INFINITY, f32::INFINITY, f32::NEG_INFINITY]), [0, 1]);
    }

    #[test]
    fn noise_competes_with_the_confidence() {
        let confidence: Vec<f32> = (0_u16..40).map(|row| -f32::from(row)).collect();
        assert_eq!(first(1e-9, 1, 5, &confidence), [0, 1, 2, 3, 4]);
        let warm: Vec<_> = (0..8).map(|image| first(50.0, image, 5, &confidence)).collect();
        assert!(warm.iter().all(|rows| rows.len() == 5 && rows.is_sorted()));
        assert!(warm.iter().any(|rows| *rows != warm[0]), "{warm:?}");
        // Impossible tokens stay impossible.
        let mut one = vec![f32::NEG_INFINITY; 40];
        one[17] = -9.0;
        assert_eq!(first(100.0, 1, 1, &one), [17]);
    }
}
