//! Dimensions of a tile, shared by the packed weights and the inner loop.

/// Columns of a block of packed weights, and of a tile.
pub const COLUMNS: usize = 64;

/// Rows of a tile: with 4 vectors of 16 columns, their sums fill 24 of the 32 registers of AVX-512.
pub(crate) const ROWS: usize = 6;
