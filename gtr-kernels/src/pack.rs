//! Memory layout of packed matrices.

use crate::layout::{COLUMNS, ROWS};

/// Shape of a weight matrix, `[inputs, outputs]`, that is packed into blocks of [`COLUMNS`] columns.
///
/// A block stores its columns row by row. The last block is padded with zeros.
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
    /// Number of rows, the length of an input row.
    pub inputs: usize,
    /// Number of columns, the length of an output row.
    pub outputs: usize,
}

impl PackedShape {
    /// Returns the number of blocks.
    pub fn blocks(self) -> usize {
        self.outputs.div_ceil(COLUMNS)
    }

    /// Returns the number of values in all blocks, including padding.
    #[expect(clippy::len_without_is_empty, reason = "a size, not a collection")]
    pub fn len(self) -> usize {
        self.blocks() * self.inputs * COLUMNS
    }

    /// Returns the index of the weight from `input` to `output`.
    pub fn place(self, input: usize, output: usize) -> usize {
        (output / COLUMNS * self.inputs + input) * COLUMNS + output % COLUMNS
    }
}

/// Packs rows of length `width` into tiles of [`ROWS`] rows. Within a tile, the values are ordered by column, then by
/// row.
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
