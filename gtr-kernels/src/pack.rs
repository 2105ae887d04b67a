//! How matrices are laid out for the tiles of a product.

use crate::layout::{COLUMNS, ROWS};

/// The sides of a matrix of weights, `[inputs, outputs]`, that is packed into blocks of [`COLUMNS`] columns.
///
/// A block holds its columns of the first row, then of the second, and so on. The last block is filled up with zeros.
///
/// # Examples
/// ```
/// use gtr_kernels::PackedShape;
///
/// let shape = PackedShape { inputs: 2, outputs: 65 };
/// assert_eq!(shape.blocks(), 2);
/// assert_eq!(shape.len(), 2 * 2 * 64);
/// assert_eq!(shape.place(1, 64), 2 * 64 + 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedShape {
    /// Rows: numbers that a product takes.
    pub inputs: usize,
    /// Columns: numbers that a product gives.
    pub outputs: usize,
}

impl PackedShape {
    /// Number of blocks.
    pub fn blocks(self) -> usize {
        self.outputs.div_ceil(COLUMNS)
    }

    /// Numbers in all blocks, those that fill up included.
    #[expect(clippy::len_without_is_empty, reason = "a size, not a collection")]
    pub fn len(self) -> usize {
        self.blocks() * self.inputs * COLUMNS
    }

    /// Where the weight from `input` to `output` is.
    pub fn place(self, input: usize, output: usize) -> usize {
        (output / COLUMNS * self.inputs + input) * COLUMNS + output % COLUMNS
    }
}

/// Rows, `width` wide, laid out tile by tile: number by number, the rows of a tile side by side.
pub(crate) fn tiles(rows: &[f32], width: usize) -> Vec<[f32; ROWS]> {
    let count = rows.len() / width.max(1);
    let mut packed = vec![[0.0; ROWS]; count.div_ceil(ROWS) * width];
    for (tile, rows) in packed.chunks_exact_mut(width.max(1)).zip(rows.chunks(ROWS * width.max(1))) {
        for (place, row) in rows.chunks_exact(width).enumerate() {
            for (packed, &value) in tile.iter_mut().zip(row) {
                packed[place] = value;
            }
        }
    }
    packed
}
