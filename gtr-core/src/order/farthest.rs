//! Greedy farthest-point order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::spread::{squared_distance, squared_distances};
use crate::{Grid, Position, TokenIndex, TokenSet};

/// Orders `candidates` so that each token is the one farthest from the `known` tokens and all tokens before it. Ties go
/// to the token that comes first in `candidates`.
///
/// Distances to the chosen tokens only decrease, and the token just chosen had the largest distance. Therefore only
/// tokens within that distance of it need an update. The circles shrink as the grid fills up, so the total is close to
/// O(n log n).
pub(super) fn farthest(grid: Grid, known: &[TokenIndex], candidates: &[TokenIndex]) -> Vec<TokenIndex> {
    const CHOSEN: u64 = u64::MAX;
    // Rank of each candidate, indexed by token; `None` for other tokens.
    let mut ranks = vec![None; grid.tokens()];
    for (rank, token) in candidates.iter().enumerate() {
        ranks[token.index()] = Some(rank);
    }
    let beyond = u64::from(grid.height()).pow(2) + u64::from(grid.width()).pow(2);
    let mut distances = squared_distances(&TokenSet::from_tokens(grid, known.iter().copied()))
        .unwrap_or_else(|| vec![beyond; grid.tokens()]);
    let mut queue: BinaryHeap<(u64, Reverse<usize>)> =
        candidates.iter().enumerate().map(|(rank, token)| (distances[token.index()], Reverse(rank))).collect();
    let mut order = Vec::with_capacity(candidates.len());
    while let Some((distance, Reverse(rank))) = queue.pop() {
        let token = candidates[rank];
        if distances[token.index()] != distance {
            continue;
        }
        order.push(token);
        distances[token.index()] = CHOSEN;
        for (near, squared) in circle(grid, grid.position(token), distance) {
            let nearest = &mut distances[near.index()];
            if let Some(rank) = ranks[near.index()]
                && *nearest != CHOSEN
                && squared < *nearest
            {
                *nearest = squared;
                queue.push((squared, Reverse(rank)));
            }
        }
    }
    order
}

/// Returns the cells closer to `centre` than the square root of `squared_radius`, with their squared distances.
fn circle(grid: Grid, centre: Position, squared_radius: u64) -> impl Iterator<Item = (TokenIndex, u64)> {
    let radius = u32::try_from(squared_radius.isqrt()).unwrap_or(u32::MAX);
    let span =
        move |centre: u32, side: u32| centre.saturating_sub(radius)..=centre.saturating_add(radius).min(side - 1);
    span(centre.row, grid.height()).flat_map(move |row| {
        span(centre.column, grid.width()).filter_map(move |column| {
            let squared = squared_distance(centre, Position { row, column });
            (squared < squared_radius).then(|| grid.at(row, column).map(|token| (token, squared))).flatten()
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ImageIndex, Seed, Stream, StreamPurpose};

    proptest! {
        #[test]
        fn equals_the_greedy_search(height in 1..9u32, width in 1..9u32, known in 0..4usize, seed: u64) {
            let grid = Grid::new(height, width).unwrap();
            let mut tokens: Vec<TokenIndex> = grid.iter().collect();
            Stream::new(Seed(seed), StreamPurpose::TokenOrder, ImageIndex(0), 0).shuffle(&mut tokens);
            let (known, candidates) = tokens.split_at(known.min(tokens.len() - 1));
            let distance = |chosen: &[TokenIndex], token: TokenIndex| {
                let nearest = chosen.iter().map(|&other| squared_distance(grid.position(other), grid.position(token))).min();
                nearest.unwrap_or(u64::MAX)
            };
            let mut chosen = known.to_vec();
            let mut left = candidates.to_vec();
            while !left.is_empty() {
                let farthest = left.iter().map(|&token| distance(&chosen, token)).max();
                let next = left.iter().position(|&token| Some(distance(&chosen, token)) == farthest).unwrap();
                chosen.push(left.remove(next));
            }
            prop_assert_eq!(farthest(grid, known, candidates), &chosen[known.len()..]);
        }
    }
}
