//! Products of rows with packed weights.

use half::{bf16, f16};
use rayon::prelude::*;

use crate::layout::{COLUMNS, ROWS};
use crate::pack::{PackedShape, tiles};
use crate::tile::{INPUTS, Products, Tile};

/// Packed weights, [`PackedShape::len`] values.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 16-bit floats with the exponent range of `f32`.
    Bf16(&'a [bf16]),
    /// IEEE half-precision floats.
    F16(&'a [f16]),
}

/// From this number of tiles per thread, threads divide the rows; each thread then reads all weights, but reuses them
/// enough.
const MANY: usize = 20;
/// Below this number of output values, one thread finishes the rows faster than several.
const WIDE: usize = 1 << 17;
/// Below this number of multiplications, one thread is faster than several.
const SMALL: usize = 1 << 18;

/// Computes `x W + bias`. Calls `finish` with the index and the values of each row of the result, to modify it in
/// place.
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - `weights`: `[inputs, outputs]`, packed
/// - `bias`: `[outputs]`
/// - returns: `[rows, outputs]`
///
/// # Panics
/// Panics if a length does not match `shape`, or a dimension is 0.
///
/// # Examples
/// ```
/// use gtr_kernels::{PackedShape, Weights, product};
///
/// let shape = PackedShape { inputs: 2, outputs: 1 };
/// let mut weights = vec![0.0; shape.len()];
/// weights[shape.place(0, 0)] = 10.0;
/// weights[shape.place(1, 0)] = 1.0;
/// let out = product(&[1.0, 2.0, 3.0, 4.0], Weights::F32(&weights), shape, &[0.5], &|_, row| row[0] *= 2.0);
/// assert_eq!(out, [25.0, 69.0]);
/// ```
pub fn product(
    x: &[f32],
    weights: Weights<'_>,
    shape: PackedShape,
    bias: &[f32],
    finish: &(dyn Fn(usize, &mut [f32]) + Sync),
) -> Vec<f32> {
    let PackedShape { inputs, outputs } = shape;
    assert!(inputs > 0 && outputs > 0, "dimensions must be above 0");
    assert!(x.len().is_multiple_of(inputs), "rows of {inputs} values in {}", x.len());
    assert_eq!(weights.len(), shape.len(), "weights of {inputs} x {outputs}");
    assert_eq!(bias.len(), outputs, "a bias of {outputs} values");
    let rows = x.len() / inputs;
    let mut out = vec![0.0; rows * outputs];
    let tiles = rows.div_ceil(ROWS);
    let threads = rayon::current_num_threads();
    let task = Task { weights, shape, bias, finish };
    if rows * inputs * outputs < SMALL {
        task.by_columns(x, &mut out, false);
    } else if tiles < MANY * threads {
        task.by_columns(x, &mut out, true);
    } else {
        let part = part(tiles, threads) * ROWS;
        let rows = out.par_chunks_mut(part * outputs).zip(x.par_chunks(part * inputs)).enumerate();
        rows.for_each(|(number, (out, x))| task.by_rows(number * part, x, out));
    }
    out
}

/// Returns the number of tiles per chunk of work: every thread gets the same number of chunks, with little remainder,
/// and chunks are small enough for the cache.
fn part(tiles: usize, threads: usize) -> usize {
    let sizes = (1..=8).map(|parts| (parts, tiles.div_ceil(parts * threads)));
    sizes.min_by_key(|&(parts, size)| (parts * size, size)).map_or(tiles, |(_, size)| size)
}

/// The inputs of a product, for either division among threads.
#[derive(Clone, Copy)]
struct Task<'a> {
    weights: Weights<'a>,
    shape: PackedShape,
    bias: &'a [f32],
    finish: &'a (dyn Fn(usize, &mut [f32]) + Sync),
}

impl Task<'_> {
    /// Computes consecutive rows on the current thread, starting at index `first`.
    fn by_rows(self, first: usize, x: &[f32], out: &mut [f32]) {
        let PackedShape { inputs, outputs } = self.shape;
        let packed = tiles(x, inputs);
        let mut sums = vec![[[0.0; COLUMNS]; ROWS]; packed.len() / inputs];
        for (block, bias) in self.bias.chunks(COLUMNS).enumerate() {
            sums.fill([[0.0; COLUMNS]; ROWS]);
            self.weights.multiply(block, inputs, &packed, &mut sums);
            for (out, sums) in out.chunks_exact_mut(outputs).zip(sums.as_flattened()) {
                add(&mut out[block * COLUMNS..], sums, bias);
            }
        }
        for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
            (self.finish)(first + row, out);
        }
    }

    /// Computes all rows. If `threads`, divides the columns among the threads.
    fn by_columns(self, x: &[f32], out: &mut [f32], threads: bool) {
        let PackedShape { inputs, outputs } = self.shape;
        let packed = tiles(x, inputs);
        let height = packed.len() / inputs;
        let mut sums = vec![[[0.0; COLUMNS]; ROWS]; height * self.shape.blocks()];
        let multiply = |(block, sums): (usize, &mut [Tile])| self.weights.multiply(block, inputs, &packed, sums);
        if threads {
            sums.par_chunks_exact_mut(height.max(1)).enumerate().for_each(multiply);
        } else {
            sums.chunks_exact_mut(height.max(1)).enumerate().for_each(multiply);
        }
        let finish = |(row, out): (usize, &mut [f32])| {
            for (block, bias) in self.bias.chunks(COLUMNS).enumerate() {
                add(&mut out[block * COLUMNS..], &sums[block * height + row / ROWS][row % ROWS], bias);
            }
            (self.finish)(row, out);
        };
        if threads && out.len() >= WIDE {
            out.par_chunks_exact_mut(outputs).enumerate().for_each(finish);
        } else {
            out.chunks_exact_mut(outputs).enumerate().for_each(finish);
        }
    }
}

/// Stores the sum of a block of columns and the bias.
fn add(out: &mut [f32], sums: &[f32; COLUMNS], bias: &[f32]) {
    for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
        *out = sum + bias;
    }
}

impl Weights<'_> {
    fn len(self) -> usize {
        match self {
            Self::F32(weights) => weights.len(),
            Self::Bf16(weights) => weights.len(),
            Self::F16(weights) => weights.len(),
        }
    }

    /// Adds the products of `rows` with one block of the weights to `out`.
    fn multiply(self, block: usize, inputs: usize, rows: &[[f32; ROWS]], out: &mut [Tile]) {
        let mine = block * inputs * COLUMNS..(block + 1) * inputs * COLUMNS;
        let after = mine.end;
        let add = |first: usize, weights: &[f32], next: &[f32]| {
            let ((weights, _), (next, _)) = (weights.as_chunks(), next.as_chunks());
            Products { rows: &rows[first..], stride: inputs, weights, next, out: &mut *out }.run();
        };
        match self {
            Self::F32(weights) => by_parts(&weights[mine], &weights[after..], add),
            Self::Bf16(weights) => widened(&weights[mine], add),
            Self::F16(weights) => widened(&weights[mine], add),
        }
    }
}

/// Calls `add` for each chunk of [`INPUTS`] rows of weights, together with the next chunk for prefetching. The last
/// chunk is followed by `after`, the weights behind the block.
fn by_parts(weights: &[f32], after: &[f32], mut add: impl FnMut(usize, &[f32], &[f32])) {
    let parts = weights.chunks(INPUTS * COLUMNS);
    let next = parts.clone().skip(1).chain([&after[..after.len().min(INPUTS * COLUMNS)]]);
    for (part, (weights, next)) in parts.zip(next).enumerate() {
        add(part * INPUTS, weights, next);
    }
}

/// Calls `add` for each chunk of [`INPUTS`] rows of weights, converted to `f32`.
fn widened<T: Copy + Into<f32>>(weights: &[T], mut add: impl FnMut(usize, &[f32], &[f32])) {
    let mut wide = Vec::with_capacity(weights.len().min(INPUTS * COLUMNS));
    for (part, weights) in weights.chunks(INPUTS * COLUMNS).enumerate() {
        wide.clear();
        wide.extend(weights.iter().map(|&weight| weight.into()));
        add(part * INPUTS, &wide, &[]);
    }
}
