//! The innermost loop of all products.

use pulp::{Simd, WithSimd};

use crate::layout::{COLUMNS, ROWS};

/// Inputs that are summed over at once: a part of a block of weights that the tiles share in the nearest cache, of which it
/// takes a half where that is smallest.
pub(crate) const INPUTS: usize = 64;

/// Numbers in a line of a cache; where lines are longer, some are asked for twice.
const LINE: usize = 16;

/// Tiles that ask for the weights that come next: more than one, because a processor drops what it cannot note down.
const ASKING: usize = 4;

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
    /// The weights that are wanted after these, if it is known: they are brought nearer meanwhile.
    pub(crate) next: &'a [[f32; COLUMNS]],
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
            tile::<S, false>(simd, |input| rows.map(|row| row[input]), weights, weights, out);
        }
    }
}

/// Adds the product of one tile.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, rows: &[[f32; ROWS]], weights: &[[f32; COLUMNS]], out: &mut Tile) {
    let inputs = rows.len().min(weights.len());
    let (rows, weights) = (&rows[..inputs], &weights[..inputs]);
    tile::<S, false>(simd, |input| rows[input], weights, weights, out);
}

/// Adds the product of the rows of one tile, of which `values` gives the numbers of an input.
///
/// If it is to look `AHEAD`, it asks meanwhile for the weights that come `next`, as many as `weights`; else it leaves these alone.
#[inline(always)]
fn tile<S: Simd, const AHEAD: bool>(
    simd: S,
    values: impl Fn(usize) -> [f32; ROWS] + Copy,
    weights: &[[f32; COLUMNS]],
    next: &[[f32; COLUMNS]],
    out: &mut Tile,
) {
    // As many sums as there are registers for.
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

/// Asks for the numbers to be brought into the second cache, and does not wait for them.
#[inline(always)]
fn fetch(line: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        #[expect(unsafe_code, reason = "an instruction for which there is no safe function")]
        // SAFETY: it belongs to SSE, which each x86-64 processor has; it neither changes memory nor fails, whatever the
        // address, and this one is of a slice.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
