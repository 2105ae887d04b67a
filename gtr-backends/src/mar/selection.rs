//! Selection of the tokens of the decoder whose values have changed most.

use candle_core::Tensor;

/// Smallest norm by which a product is divided.
const SMALLEST_NORM: f64 = 1e-8;

/// Returns the cosine similarity of the values of each row before and after a step: the mean over the heads.
///
/// # Shapes
/// `after`, `before`: `[rows, 2 * width]`, keys, then values; returns one number per row.
pub(crate) fn similarities(after: &Tensor, before: &Tensor, heads: usize) -> candle_core::Result<Vec<f32>> {
    let (rows, both) = after.dims2()?;
    let width = both / 2;
    let values = |tensor: &Tensor| tensor.narrow(1, width, width)?.reshape((rows, heads, width / heads));
    let (after, before) = (values(after)?, values(before)?);
    let dot = |a: &Tensor, b: &Tensor| (a * b)?.sum(2); // (rows, heads)
    let norm = |values: &Tensor| dot(values, values)?.sqrt()?.maximum(SMALLEST_NORM);
    let cosine = (dot(&after, &before)? / (norm(&after)? * norm(&before)?)?)?;
    cosine.mean(1)?.to_vec1()
}

/// Order in which the rows of a sequence are selected.
pub(crate) struct Ranking<'a> {
    /// Similarity of each row to that of the step before.
    pub(crate) similarities: &'a [f32],
    /// Number of rows before the first token.
    pub(crate) buffer: usize,
    /// Tokens of this step.
    pub(crate) now: &'a [u32],
    /// Tokens of the step before.
    pub(crate) new: &'a [u32],
}

impl Ranking<'_> {
    /// Returns the first `count` rows in ascending order: those of this step, those of the step before, then the least
    /// similar ones, and of equal ones those in front.
    pub(crate) fn lowest(&self, count: usize) -> Vec<usize> {
        let mut class = vec![2_u8; self.similarities.len()];
        for (tokens, rank) in [(self.new, 1), (self.now, 0)] {
            for &token in tokens {
                class[self.buffer + token as usize] = rank;
            }
        }
        let mut rows: Vec<usize> = (0..self.similarities.len()).collect();
        let similarity = |row: usize| if class[row] == 2 { self.similarities[row] } else { 0.0 };
        rows.sort_by(|&a, &b| class[a].cmp(&class[b]).then(similarity(a).total_cmp(&similarity(b))).then(a.cmp(&b)));
        rows.truncate(count);
        rows.sort_unstable();
        rows
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_least_similar_rows_are_selected() {
        let similarities = [0.5, 0.1, 0.9, -0.2, 0.1, 0.8];
        let lowest = |now: &[u32], new: &[u32], count| {
            Ranking { similarities: &similarities, buffer: 1, now, new }.lowest(count)
        };
        assert_eq!(lowest(&[], &[], 3), [1, 3, 4]);
        // Of the equal rows 1 and 4, the one in front.
        assert_eq!(lowest(&[], &[], 2), [1, 3]);
        // Negative similarities do not displace the tokens of this step.
        assert_eq!(lowest(&[1], &[], 1), [2]);
        assert_eq!(lowest(&[4], &[1], 2), [2, 5]);
        assert_eq!(lowest(&[4], &[1], 1), [5]);
        assert_eq!(lowest(&[4], &[1], 3), [2, 3, 5]);
        assert_eq!(lowest(&[4], &[1], 6), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn similarities_are_means_over_heads() {
        // Keys, which do not count, then the values of two heads.
        let tensor = |values: [f32; 8]| {
            Tensor::from_slice(
                &[[7.0; 4].as_slice(), &values[..4], &[1.0; 4], &values[4..]].concat(),
                (2, 8),
                &Device::Cpu,
            )
            .unwrap()
        };
        let before = tensor([1.0, 0.0, 3.0, 4.0, 0.0, 0.0, 1.0, 1.0]);
        let after = tensor([0.0, 2.0, 6.0, 8.0, 1.0, 2.0, -1.0, -1.0]);
        let found = similarities(&after, &before, 2).unwrap();
        for (found, expected) in found.iter().zip([0.5, -0.5]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
