//! Scaled dot-product attention.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::elementwise::softmax_in_place;
use crate::layout::{COLUMNS, ROWS};
use crate::pack::PackedShape;
use crate::tile::{Tile, multiply};

/// Dimensions of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Number of sequences.
    pub batch: usize,
    /// Number of heads.
    pub heads: usize,
    /// Dimension of a head.
    pub depth: usize,
}

/// Computes multi-head attention: `softmax(q k^T / sqrt(depth)) v` per head.
///
/// # Shapes
/// With `width = heads * depth`:
/// - `queries`: `[batch * m, width]`
/// - `keys_values`: `[batch * n, 2 * width]`, each row holds the keys followed by the values
/// - returns: `[batch * m, width]`
///
/// # Panics
/// Panics if a length does not match `sides`, a dimension is 0, or `n` is 0.
///
/// # Examples
/// ```
/// use gtr_kernels::{Attention, attention};
///
/// let sides = Attention { batch: 1, heads: 1, depth: 1 };
/// // A zero query gives the mean of the values.
/// assert_eq!(attention(&[0.0], &[7.0, 1.0, -7.0, 3.0], sides), [2.0]);
/// ```
pub fn attention(queries: &[f32], keys_values: &[f32], sides: Attention) -> Vec<f32> {
    let Attention { batch, heads, depth } = sides;
    let width = heads * depth;
    assert!(batch > 0 && width > 0, "dimensions must be above 0");
    assert!(queries.len().is_multiple_of(batch * width), "queries of {batch} x {width} in {}", queries.len());
    assert!(keys_values.len().is_multiple_of(2 * batch * width), "keys of {batch} x {width} in {}", keys_values.len());
    let (m, n) = (queries.len() / batch / width, keys_values.len() / batch / width / 2);
    assert!(n > 0, "expected at least one key per sequence");
    // Threads process whole heads. If there are more threads than heads, several threads divide the queries of a head.
    let sharers = rayon::current_num_threads().div_ceil(batch * heads);
    let share = m.div_ceil(sharers).next_multiple_of(ROWS);
    // `[batch, heads, m, depth]`.
    let mut mixed = vec![0.0; queries.len()];
    mixed.par_chunks_exact_mut((m * depth).max(1)).enumerate().for_each(|(part, out)| {
        let (sequence, head) = (part / heads, part % heads);
        let both = &keys_values[sequence * n * 2 * width..];
        let keys = Rows { numbers: both, stride: 2 * width, first: head * depth, depth };
        let values = Rows { first: width + head * depth, ..keys };
        out.par_chunks_mut(share * depth).enumerate().for_each(|(part, out)| {
            let numbers = &queries[(sequence * m + part * share) * width..];
            let queries = Rows { numbers, stride: width, first: head * depth, depth };
            pulp::Arch::new().dispatch(Head { queries, keys, values, m: out.len() / depth, n, out });
        });
    });
    let mut out = vec![0.0; queries.len()];
    out.par_chunks_exact_mut(width).enumerate().for_each(|(row, out)| {
        let (sequence, row) = (row / m, row % m);
        for (head, out) in out.chunks_exact_mut(depth).enumerate() {
            out.copy_from_slice(&mixed[((sequence * heads + head) * m + row) * depth..][..depth]);
        }
    });
    out
}

/// View of one head: `depth` values at offset `first` of each row of length `stride`.
#[derive(Clone, Copy)]
struct Rows<'a> {
    numbers: &'a [f32],
    stride: usize,
    first: usize,
    depth: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, number: usize) -> &'a [f32] {
        &self.numbers[number * self.stride + self.first..][..self.depth]
    }
}

/// Attention of one head of one sequence.
struct Head<'a> {
    queries: Rows<'a>,
    keys: Rows<'a>,
    values: Rows<'a>,
    m: usize,
    n: usize,
    /// `[m, depth]`.
    out: &'a mut [f32],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "heads are narrower than 2^24")]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { queries, keys, values, m, n, out } = self;
        let depth = queries.depth;
        let scale = 1.0 / (depth as f32).sqrt();
        // Pack the keys as weights from `depth` to `n`, and the values as weights from `n` to `depth`.
        let (to_scores, to_values) =
            (PackedShape { inputs: depth, outputs: n }, PackedShape { inputs: n, outputs: depth });
        let mut packed = vec![0.0; to_scores.len() + to_values.len()];
        let (packed_keys, packed_values) = packed.split_at_mut(to_scores.len());
        for number in 0..n {
            for (channel, &key) in keys.row(number).iter().enumerate() {
                packed_keys[to_scores.place(channel, number)] = key;
            }
            for (block, values) in values.row(number).chunks(COLUMNS).enumerate() {
                packed_values[to_values.place(number, block * COLUMNS)..][..values.len()].copy_from_slice(values);
            }
        }
        let (packed_keys, packed_values) = (packed_keys.as_chunks().0, packed_values.as_chunks().0);

        let zeros: Tile = [[0.0; COLUMNS]; ROWS];
        let mut asked = vec![[0.0; ROWS]; depth];
        let mut rows = vec![[0.0; ROWS]; n];
        let mut scores = vec![0.0; n.next_multiple_of(COLUMNS) * ROWS];
        let padded = scores.len() / ROWS;
        for (number, out) in out.chunks_mut(ROWS * depth).enumerate() {
            let (first, count) = (number * ROWS, ROWS.min(m - number * ROWS));
            for place in 0..count {
                for (asked, &query) in asked.iter_mut().zip(queries.row(first + place)) {
                    asked[place] = query * scale;
                }
            }
            for (block, keys) in packed_keys.chunks_exact(depth).enumerate() {
                let mut tile = zeros;
                multiply(simd, &asked, keys, &mut tile);
                for (scores, tile) in scores.chunks_exact_mut(padded).zip(&tile) {
                    scores[block * COLUMNS..][..COLUMNS].copy_from_slice(tile);
                }
            }
            for (place, scores) in scores.chunks_exact_mut(padded).take(count).enumerate() {
                let scores = &mut scores[..n];
                softmax_in_place(scores);
                for (rows, &score) in rows.iter_mut().zip(&*scores) {
                    rows[place] = score;
                }
            }
            for (block, values) in packed_values.chunks_exact(n).enumerate() {
                let mut tile = zeros;
                multiply(simd, &rows, values, &mut tile);
                for (out, tile) in out.chunks_exact_mut(depth).zip(&tile) {
                    let out = &mut out[block * COLUMNS..];
                    let taken = out.len().min(COLUMNS);
                    out[..taken].copy_from_slice(&tile[..taken]);
                }
            }
        }
    }
}
