//! The inner loop of all products.

use pulp::{Simd, WithSimd};

use crate::layout::{COLUMNS, ROWS};

/// Number of inputs summed over at once. The tiles share this chunk of weights in the L1 cache, where it takes half of
/// the smallest common size.
pub(crate) const INPUTS: usize = 64;

/// Number of `f32` per cache line. If lines are longer, some are prefetched twice.
const LINE: usize = 16;

/// Number of tiles that prefetch the next weights. More than one, because a processor drops prefetches if its queue is
/// full.
const ASKING: usize = 4;

/// A tile of a product.
pub(crate) type Tile = [[f32; COLUMNS]; ROWS];

/// Adds to each tile of `out` the product of its rows with a block of weights.
///
/// Each sum adds its products in the order of the inputs, independently of the tiles and the vector width.
pub(crate) struct Products<'a> {
    /// The packed rows of all tiles.
    pub(crate) rows: &'a [[f32; ROWS]],
    /// Distance between the starts of consecutive tiles in `rows`.
    pub(crate) stride: usize,
    /// The weights, one row per input to sum over.
    pub(crate) weights: &'a [[f32; COLUMNS]],
    /// The weights needed next, to be prefetched; empty if unknown.
    pub(crate) next: &'a [[f32; COLUMNS]],
    /// The sums.
    pub(crate) out: &'a mut [Tile],
}

impl Products<'_> {
    /// Adds the products to `out`.
    pub(crate) fn run(self) {
        pulp::Arch::new().dispatch(self);
    }
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, stride, weights, next, out } = self;
        for (number, (rows, out)) in rows.chunks(stride.max(1)).zip(out).enumerate() {
            let inputs = rows.len().min(weights.len());
            match next.get(..inputs) {
                Some(next) if number < ASKING => {
                    let (rows, weights) = (&rows[..inputs], &weights[..inputs]);
                    tile::<S, true>(simd, |input| rows[input], weights, next, out);
                }
                _ => multiply(simd, rows, weights, out),
            }
        }
    }
}

/// Like [`Products`], for tiles whose rows are not contiguous in memory, such as pixels and their neighbours.
pub(crate) struct Gathered<'a> {
    /// The rows of each tile, each at least as long as `weights`.
    pub(crate) rows: &'a [[&'a [f32]; ROWS]],
    /// The weights.
    pub(crate) weights: &'a [[f32; COLUMNS]],
    /// The sums.
    pub(crate) out: &'a mut [Tile],
}

impl Gathered<'_> {
    /// Adds the products to `out`.
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
            // Slices of equal length, so that bounds are checked once.
            let rows = rows.map(|row| &row[..weights.len()]);
            tile::<S, false>(simd, |input| rows.map(|row| row[input]), weights, weights, out);
        }
    }
}

/// Adds the product of one tile with `weights` to `out`.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, rows: &[[f32; ROWS]], weights: &[[f32; COLUMNS]], out: &mut Tile) {
    let inputs = rows.len().min(weights.len());
    let (rows, weights) = (&rows[..inputs], &weights[..inputs]);
    tile::<S, false>(simd, |input| rows[input], weights, weights, out);
}

/// Adds the product of one tile with `weights` to `out`. `values` returns the column of the tile for an input.
///
/// `next` must be as long as `weights`. If `AHEAD`, prefetches it; otherwise does not read it.
#[inline(always)]
fn tile<S: Simd, const AHEAD: bool>(
    simd: S,
    values: impl Fn(usize) -> [f32; ROWS] + Copy,
    weights: &[[f32; COLUMNS]],
    next: &[[f32; COLUMNS]],
    out: &mut Tile,
) {
    // Use as many accumulators as fit into the registers.
    if S::REGISTER_COUNT >= 32 && 4 * S::F32_LANES <= COLUMNS {
        columns::<S, 4, AHEAD>(simd, values, weights, next, out);
    } else {
        columns::<S, 2, AHEAD>(simd, values, weights, next, out);
    }
}

#[inline(always)]
fn columns<S: Simd, const VECTORS: usize, const AHEAD: bool>(
    simd: S,
    values: impl Fn(usize) -> [f32; ROWS],
    weights: &[[f32; COLUMNS]],
    next: &[[f32; COLUMNS]],
    out: &mut Tile,
) {
    for first in (0..COLUMNS / S::F32_LANES).step_by(VECTORS) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (sums, out) in sums.iter_mut().zip(out.iter()) {
            sums.copy_from_slice(&S::as_simd_f32s(out).0[first..][..VECTORS]);
        }
        for (input, (weights, next)) in weights.iter().zip(next).enumerate() {
            if AHEAD {
                for line in next[first * S::F32_LANES..][..VECTORS * S::F32_LANES].chunks(LINE) {
                    fetch(line);
                }
            }
            let weights: &[S::f32s; VECTORS] =
                S::as_simd_f32s(weights).0[first..].first_chunk().expect("a block contains whole groups of vectors");
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

/// Prefetches a cache line into the L2 cache.
#[inline(always)]
fn fetch(line: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        #[expect(unsafe_code, reason = "there is no safe function for this instruction")]
        // SAFETY: the instruction is part of SSE, which every x86-64 processor supports. A prefetch does not change
        // memory and does not fault for any address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
