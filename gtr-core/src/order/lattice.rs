//! Order by quincunx sub-lattices.

use super::bisection::Cut;
use crate::{Grid, Position, TokenIndex};

/// Orders tokens by the quincunx sub-lattices that contain them, coarsest first. Each half of the order, each quarter
/// and so on is spread as evenly as the whole.
pub(super) fn lattice(grid: Grid, tokens: &[TokenIndex]) -> Vec<TokenIndex> {
    let mut order = tokens.to_vec();
    order.sort_by_key(|&token| key(grid, grid.position(token)));
    order
}

/// Returns the sort key of a cell: one bit per level, the first level in the highest bit, set if that level's cut
/// removes the cell. Keys are unique within a grid.
fn key(grid: Grid, position: Position) -> u64 {
    let side = grid.height().max(grid.width());
    let levels = 2 * (u32::BITS - side.leading_zeros()) + 1;
    (0..levels).fold(0, |key, level| key << 1 | u64::from(!Cut::Quincunx.keeps(level, position)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Spread, TokenSet};

    #[test]
    fn fractions_of_a_colour_are_evenly_spread() {
        let grid = Grid::new(16, 16).unwrap();
        let odd: Vec<TokenIndex> =
            grid.iter().filter(|&token| (grid.position(token).row + grid.position(token).column) % 2 == 1).collect();
        let order = lattice(grid, &odd);
        for (parts, closest) in [(1, 2.0_f64.sqrt()), (2, 2.0), (4, 8.0_f64.sqrt()), (8, 4.0)] {
            for part in order.chunks(128 / parts) {
                let spread = Spread::of(&TokenSet::from_tokens(grid, part.iter().copied()));
                assert_eq!(spread.closest_pair, Some(closest), "1 of {parts}");
            }
        }
    }

    #[test]
    fn keys_are_unique() {
        for (height, width) in [(1, 1), (1, 9), (5, 3), (16, 16), (33, 7)] {
            let grid = Grid::new(height, width).unwrap();
            let mut keys: Vec<u64> = grid.iter().map(|token| key(grid, grid.position(token))).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), grid.tokens(), "{grid}");
        }
    }
}
