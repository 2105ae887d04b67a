//! The innermost loop of all products.

use pulp::{Simd, WithSimd};

use crate::pack::COLUMNS;

/// Rows of a tile: with 4 vectors of 16 columns, their sums fill 24 of the 32 registers of AVX-512.
pub(crate) const ROWS: usize = 6;

/// A tile of a product.
pub(crate) type Tile = [[f32; COLUMNS]; ROWS];

/// Adds to each tile of `out` the product of its rows with a block of weights.
///
/// Each sum takes one product after the other, in the order of the inputs, whatever the tiles and the vectors.
pub(crate) struct Products<'a> {
    /// The rows of all tiles, `inputs` of each tile after the other.
    pub(crate) rows: &'a [[f32; ROWS]],
    /// How many numbers of a tile there are from the first of one tile to the first of the next.
    pub(crate) stride: usize,
    /// The weights, whose number of rows is that of the inputs to sum over.
    pub(crate) weights: &'a [[f32; COLUMNS]],
    /// The sums.
    pub(crate) out: &'a mut [Tile],
}

impl Products<'_> {
    /// Computes them.
    pub(crate) fn run(self) {
        pulp::Arch::new().dispatch(self);
    }
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, stride, weights, out } = self;
        for (rows, out) in rows.chunks(stride.max(1)).zip(out) {
            multiply(simd, rows, weights, out);
        }
    }
}

/// The same, of tiles whose rows lie wherever they lie: pixels and their neighbours, say.
pub(crate) struct Gathered<'a> {
    /// The rows of each tile, each as long as there are weights.
    pub(crate) rows: &'a [[&'a [f32]; ROWS]],
    /// The weights.
    pub(crate) weights: &'a [[f32; COLUMNS]],
    /// The sums.
    pub(crate) out: &'a mut [Tile],
}

impl Gathered<'_> {
    /// Computes them.
    pub(crate) fn run(self) {
        pulp::Arch::new().dispatch(self);
    }
}

impl WithSimd for Gathered<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, weights, out } = self;
        for (rows, out) in rows.iter().zip(out) {
            // Cut to one length, so that it is checked once.
            let rows = rows.map(|row| &row[..weights.len()]);
            tile(simd, |input| rows.map(|row| row[input]), weights, out);
        }
    }
}

/// Adds the product of one tile.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, rows: &[[f32; ROWS]], weights: &[[f32; COLUMNS]], out: &mut Tile) {
    let inputs = rows.len().min(weights.len());
    let (rows, weights) = (&rows[..inputs], &weights[..inputs]);
    tile(simd, |input| rows[input], weights, out);
}

/// Adds the product of the rows of one tile, of which `values` gives the numbers of an input.
#[inline(always)]
fn tile<S: Simd>(simd: S, values: impl Fn(usize) -> [f32; ROWS] + Copy, weights: &[[f32; COLUMNS]], out: &mut Tile) {
    // As many sums as there are registers for.
    if S::REGISTER_COUNT >= 32 && 4 * S::F32_LANES <= COLUMNS {
        columns::<S, 4>(simd, values, weights, out);
    } else {
        columns::<S, 2>(simd, values, weights, out);
    }
}

#[inline(always)]
fn columns<S: Simd, const VECTORS: usize>(
    simd: S,
    values: impl Fn(usize) -> [f32; ROWS],
    weights: &[[f32; COLUMNS]],
    out: &mut Tile,
) {
    for first in (0..COLUMNS / S::F32_LANES).step_by(VECTORS) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (sums, out) in sums.iter_mut().zip(out.iter()) {
            sums.copy_from_slice(&S::as_simd_f32s(out).0[first..][..VECTORS]);
        }
        for (input, weights) in weights.iter().enumerate() {
            let weights: &[S::f32s; VECTORS] =
                S::as_simd_f32s(weights).0[first..].first_chunk().expect("a block holds whole groups of vectors");
            for (sums, value) in sums.iter_mut().zip(values(input)) {
                let value = simd.splat_f32s(value);
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_e_f32s(value, weight, *sum);
                }
            }
        }
        for (sums, out) in sums.iter().zip(out.iter_mut()) {
            S::as_mut_simd_f32s(out).0[first..][..VECTORS].copy_from_slice(sums);
        }
    }
}
