//! Measures of how uniformly a set of tokens is spread over its grid.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Grid, Position, TokenIndex, TokenSet};

/// Measures of uniformity: Euclidean distances in cells of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Distance between the two closest tokens; `None` for fewer than two tokens. Larger is better.
    pub closest_pair: Option<f64>,
    /// Largest distance from any cell of the grid to its nearest token; `None` for an empty set. Smaller is better.
    pub covering_radius: Option<f64>,
    /// Mean distance from a cell of the grid to its nearest token; `None` for an empty set. Smaller is better.
    pub mean_gap: Option<f64>,
}

impl Spread {
    /// Measures a set of tokens, in time linear in the number of cells.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Grid, Spread, TokenSet};
    /// let grid = Grid::new(16, 16)?;
    /// let odd = TokenSet::from_tokens(grid, grid.iter().filter(|&t| {
    ///     let at = grid.position(t);
    ///     (at.row + at.column) % 2 == 1
    /// }));
    /// let spread = Spread::of(&odd);
    /// assert_eq!(spread.closest_pair, Some(2f64.sqrt()));
    /// assert_eq!(spread.covering_radius, Some(1.0));
    /// # Ok::<(), gtr_core::GridError>(())
    /// ```
    #[expect(clippy::cast_precision_loss, reason = "squared distances on a grid of 2^24 tokens are below 2^53")]
    pub fn of(tokens: &TokenSet) -> Self {
        let closest_pair = closest_pair(tokens).map(|squared| (squared as f64).sqrt());
        let Some(gaps) = squared_distances(tokens) else {
            return Self { closest_pair, covering_radius: None, mean_gap: None };
        };
        let mut largest = 0;
        let mut sum = 0.0;
        for &gap in &gaps {
            largest = largest.max(gap);
            sum += (gap as f64).sqrt();
        }
        Self { closest_pair, covering_radius: Some((largest as f64).sqrt()), mean_gap: Some(sum / gaps.len() as f64) }
    }
}

pub(crate) fn squared_distance(a: Position, b: Position) -> u64 {
    let (rows, columns) = (u64::from(a.row.abs_diff(b.row)), u64::from(a.column.abs_diff(b.column)));
    rows * rows + columns * columns
}

/// Returns the squared distance from each cell of the grid to its nearest token, or `None` for an empty set.
///
/// Implements the exact Euclidean distance transform of Meijster, Roerdink and Hesselink (2000): one pass down and one
/// pass up each column, then the lower envelope of parabolas along each row.
pub(crate) fn squared_distances(tokens: &TokenSet) -> Option<Vec<u64>> {
    if tokens.is_empty() {
        return None;
    }
    let grid = tokens.grid();
    let (height, width) = (grid.height() as usize, grid.width() as usize);
    // Greater than any distance on the grid, but small enough to be squared.
    let far = (height + width) as u64;
    let mut columns = vec![far; height * width];
    for token in tokens.iter() {
        columns[token.index()] = 0;
    }
    for cell in width..height * width {
        columns[cell] = columns[cell].min(columns[cell - width] + 1);
    }
    for cell in (0..(height - 1) * width).rev() {
        columns[cell] = columns[cell].min(columns[cell + width] + 1);
    }
    let mut distances = vec![0; height * width];
    let mut envelope = Vec::with_capacity(width);
    for (gaps, distances) in columns.chunks_exact(width).zip(distances.chunks_exact_mut(width)) {
        lower_envelope(gaps, &mut envelope, distances);
    }
    Some(distances)
}

/// Sets `distances[x]` to the minimum of `(x - u)^2 + gaps[u]^2` over all `u`.
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "distances on a grid are below 2^25"
)]
fn lower_envelope(gaps: &[u64], envelope: &mut Vec<(usize, usize)>, distances: &mut [u64]) {
    let width = gaps.len();
    let height_at = |x: usize, u: usize| {
        let along = x.abs_diff(u) as u64;
        along * along + gaps[u] * gaps[u]
    };
    // Pairs of the column of a parabola and the first column at which it is the lowest.
    envelope.clear();
    for u in 0..width {
        while let Some(&(column, from)) = envelope.last() {
            if height_at(from, column) <= height_at(from, u) {
                break;
            }
            envelope.pop();
        }
        match envelope.last() {
            None => envelope.push((u, 0)),
            Some(&(column, _)) => {
                let (a, b) = (column as i64, u as i64);
                let lift = (gaps[u] * gaps[u]) as i64 - (gaps[column] * gaps[column]) as i64;
                let from = (b * b - a * a + lift).div_euclid(2 * (b - a)) + 1;
                if from < width as i64 {
                    envelope.push((u, from as usize));
                }
            }
        }
    }
    let mut end = width;
    for &(column, from) in envelope.iter().rev() {
        for (x, distance) in distances.iter_mut().enumerate().take(end).skip(from) {
            *distance = height_at(x, column);
        }
        end = from;
    }
}

/// Returns the squared distance between the two closest tokens.
///
/// Few tokens are compared pair by pair. Among many tokens some pair must be close, because discs around the tokens
/// would otherwise not fit into the grid. The search then tries offsets in order of length until one connects two
/// tokens.
fn closest_pair(tokens: &TokenSet) -> Option<u64> {
    const FEW: usize = 512;
    let grid = tokens.grid();
    let positions: Vec<Position> = tokens.iter().map(|token| grid.position(token)).collect();
    if positions.len() <= FEW {
        let pairs = positions.iter().enumerate().flat_map(|(i, &a)| positions[..i].iter().map(move |&b| (a, b)));
        return pairs.map(|(a, b)| squared_distance(a, b)).min();
    }
    let mut inner = 0;
    loop {
        let outer = (inner * 2).max(1);
        for (length, down, right) in offsets(grid, inner, outer) {
            let joined = positions.iter().any(|at| {
                let column = i64::from(at.column) + right;
                let there = u32::try_from(column).ok().and_then(|column| grid.at(at.row + down, column));
                there.is_some_and(|token: TokenIndex| tokens.contains(token))
            });
            if joined {
                return Some(length);
            }
        }
        inner = outer;
    }
}

/// Returns the offsets `(squared length, rows down, columns right)` with a length greater than `inner` and at most
/// `outer`, one of each opposite pair, shortest first.
fn offsets(grid: Grid, inner: u64, outer: u64) -> Vec<(u64, u32, i64)> {
    let mut offsets = Vec::new();
    for down in 0..=outer.min(u64::from(grid.height()) - 1) {
        let reach = i64::try_from(outer.min(u64::from(grid.width()) - 1)).unwrap_or(i64::MAX);
        for right in -reach..=reach {
            let length = down * down + right.unsigned_abs().pow(2);
            let forward = down > 0 || right > 0;
            if forward && length > inner * inner && length <= outer * outer {
                #[expect(clippy::cast_possible_truncation, reason = "a row of the grid")]
                offsets.push((length, down as u32, right));
            }
        }
    }
    offsets.sort_unstable();
    offsets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subset(grid: Grid, picks: &[bool]) -> TokenSet {
        TokenSet::from_tokens(grid, grid.iter().filter(|token| picks[token.index() % picks.len()]))
    }

    proptest! {
        #[test]
        fn distances_equal_those_of_an_exhaustive_search(height in 1..14u32, width in 1..14u32, picks in prop::collection::vec(prop::bool::weighted(0.2), 169)) {
            let grid = Grid::new(height, width).unwrap();
            let set = subset(grid, &picks);
            let searched: Option<Vec<u64>> = (!set.is_empty()).then(|| grid.iter().map(|cell| {
                set.iter().map(|token| squared_distance(grid.position(cell), grid.position(token))).min().unwrap()
            }).collect());
            prop_assert_eq!(squared_distances(&set), searched);
        }

        #[test]
        fn the_closest_pair_equals_that_of_an_exhaustive_search(height in 1..80u32, width in 20..80u32, step in 2..40usize, keep in prop::collection::vec(prop::bool::weighted(0.9), 97)) {
            let grid = Grid::new(height, width).unwrap();
            let set = TokenSet::from_tokens(grid, grid.iter().filter(|token| token.index() % step == 0 && keep[token.index() % 97]));
            let positions: Vec<Position> = set.iter().map(|token| grid.position(token)).collect();
            let mut searched = None;
            for (i, &a) in positions.iter().enumerate() {
                for &b in &positions[..i] {
                    let distance = squared_distance(a, b);
                    searched = Some(searched.map_or(distance, |least: u64| least.min(distance)));
                }
            }
            prop_assert_eq!(closest_pair(&set), searched);
        }
    }

    #[test]
    fn many_tokens_far_apart_on_a_thin_grid() {
        let grid = Grid::new(1, 60_000).unwrap();
        let set = TokenSet::from_tokens(grid, grid.iter().filter(|token| token.index() % 100 == 7));
        let spread = Spread::of(&set);
        assert_eq!(spread.closest_pair, Some(100.0));
        assert_eq!(spread.covering_radius, Some(92.0));
    }

    #[test]
    fn single_tokens_and_empty_sets() {
        let grid = Grid::new(3, 5).unwrap();
        let spread = Spread::of(&TokenSet::from_tokens(grid, grid.at(0, 0)));
        assert_eq!((spread.closest_pair, spread.covering_radius), (None, Some(20f64.sqrt())));
        assert_eq!(Spread::of(&TokenSet::empty(grid)).covering_radius, None);
    }
}
