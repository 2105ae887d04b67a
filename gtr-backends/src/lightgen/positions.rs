//! Interpolation of position embeddings for other grids.

use gtr_core::Grid;

/// Offset that the reference adds to the size of the grid before division, against rounding errors.
pub(super) const OFFSET: f64 = 0.1;
/// The free parameter of the bicubic kernel.
const A: f64 = -0.75;

/// Interpolates a square table of positions to a grid, bicubically.
///
/// A table with the shape of the grid is returned unchanged. Otherwise the reference swaps rows and columns when it
/// resizes the table, and this function does the same: for grids that are not square, the table is transposed relative
/// to the tokens.
///
/// # Shapes
/// `table`: `[side * side, width]`; returns: `[tokens, width]`.
///
/// # Panics
/// If the table does not have `side * side` rows of `width`.
///
/// # Source
/// XianfengWu01/LightGen, `interpolate_pos_encoding`. The kernel is that of PyTorch, with pixel centres at 0.5 and a
/// repeated border.
#[expect(clippy::cast_possible_truncation, reason = "computed in f64, used in f32")]
pub fn interpolate(table: &[f32], side: usize, width: usize, grid: Grid) -> Vec<f32> {
    assert_eq!(table.len(), side * side * width, "a square table");
    let (height, across) = (grid.height() as usize, grid.width() as usize);
    if height == across && height * across == side * side {
        return table.to_vec();
    }
    let (first, second) = (taps(across, side), taps(height, side));
    let mut out = Vec::with_capacity(height * across * width);
    let mut sum = vec![0.0_f64; width];
    for row in &first {
        for column in &second {
            sum.fill(0.0);
            for &(y, down) in row {
                for &(x, right) in column {
                    let values = &table[(y * side + x) * width..][..width];
                    for (sum, &value) in sum.iter_mut().zip(values) {
                        *sum += down * right * f64::from(value);
                    }
                }
            }
            out.extend(sum.iter().map(|&sum| sum as f32));
        }
    }
    out
}

/// Returns, for each of `count` output positions, the four input positions of `side` and their weights.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "grids are smaller than 2^24, and positions are clamped to them"
)]
fn taps(count: usize, side: usize) -> Vec<[(usize, f64); 4]> {
    let scale = side as f64 / (count as f64 + OFFSET);
    let place = |place: usize| {
        let source = (place as f64 + 0.5) * scale - 0.5;
        let (base, part) = (source.floor(), source - source.floor());
        let tap = |step: f64| {
            let at = (base + step).clamp(0.0, side as f64 - 1.0) as usize;
            (at, kernel((part - step).abs()))
        };
        [tap(-1.0), tap(0.0), tap(1.0), tap(2.0)]
    };
    (0..count).map(place).collect()
}

/// Cubic convolution at distance `x`, 0 to 2.
fn kernel(x: f64) -> f64 {
    if x <= 1.0 { ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0 } else { ((x - 5.0) * x + 8.0) * x * A - 4.0 * A }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one() {
        for size in [1, 3, 8, 17, 32, 100] {
            for place in taps(size, 16) {
                let sum: f64 = place.iter().map(|(_, weight)| weight).sum();
                assert!((sum - 1.0).abs() < 1e-12);
                assert!(place.iter().all(|(at, _)| *at < 16));
            }
        }
    }

    #[test]
    fn only_a_square_grid_of_the_same_size_is_unchanged() {
        let table: Vec<f32> = (0_u8..16).map(f32::from).collect();
        assert_eq!(interpolate(&table, 4, 1, Grid::new(4, 4).unwrap()), table);
        assert_ne!(interpolate(&table, 4, 1, Grid::new(2, 8).unwrap()), table);
    }
}
