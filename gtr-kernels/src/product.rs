//! Products of rows with packed weights.

use half::{bf16, f16};
use rayon::prelude::*;

use crate::layout::{COLUMNS, ROWS};
use crate::pack::{PackedShape, tiles};
use crate::tile::{INPUTS, Products, Tile};

/// Packed weights: [`PackedShape::len`] numbers.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// Of 32 bits.
    F32(&'a [f32]),
    /// Of 16 bits, with the exponents of f32.
    Bf16(&'a [bf16]),
    /// Of 16 bits.
    F16(&'a [f16]),
}

/// Tiles a thread from which on each takes rows of its own: then what they read of the weights is worth what they compute.
const MANY: usize = 20;
/// Fewer numbers than this are finished sooner than a second thread wakes up.
const WIDE: usize = 1 << 17;
/// Fewer multiplications than this are not worth a second thread.
const SMALL: usize = 1 << 18;

/// `x W + bias`, each row of which is handed to `finish` with its number before it is done.
///
/// # Shapes
/// - `x`: `[rows, inputs]`
/// - `weights`: `[inputs, outputs]`, packed
/// - `bias`: `[outputs]`
/// - returns: `[rows, outputs]`
///
/// # Panics
/// If the lengths contradict the shape.
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
    assert!(inputs > 0 && outputs > 0, "weights have sides");
    assert!(x.len().is_multiple_of(inputs), "rows of {inputs} numbers in {}", x.len());
    assert_eq!(weights.len(), shape.len(), "weights of {inputs} x {outputs}");
    assert_eq!(bias.len(), outputs, "a bias of {outputs} numbers");
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

/// Tiles of the parts that threads take: as many parts for each thread, with little left over, and small for their caches.
fn part(tiles: usize, threads: usize) -> usize {
    let sizes = (1..=8).map(|parts| (parts, tiles.div_ceil(parts * threads)));
    sizes.min_by_key(|&(parts, size)| (parts * size, size)).map_or(tiles, |(_, size)| size)
}

/// A product, whichever way it is shared among threads.
#[derive(Clone, Copy)]
struct Task<'a> {
    weights: Weights<'a>,
    shape: PackedShape,
    bias: &'a [f32],
    finish: &'a (dyn Fn(usize, &mut [f32]) + Sync),
}

impl Task<'_> {
    /// Some of the rows, of which the first has this number.
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

    /// All rows; threads share the columns, if there are to be threads.
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

/// What a block of columns comes to.
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

    /// Adds the products with one of the blocks.
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

/// Adds part by part, with the part that follows; after the last one, what comes after the block.
fn by_parts(weights: &[f32], after: &[f32], mut add: impl FnMut(usize, &[f32], &[f32])) {
    let parts = weights.chunks(INPUTS * COLUMNS);
    let next = parts.clone().skip(1).chain([&after[..after.len().min(INPUTS * COLUMNS)]]);
    for (part, (weights, next)) in parts.zip(next).enumerate() {
        add(part * INPUTS, weights, next);
    }
}

fn widened<T: Copy + Into<f32>>(weights: &[T], mut add: impl FnMut(usize, &[f32], &[f32])) {
    let mut wide = Vec::with_capacity(weights.len().min(INPUTS * COLUMNS));
    for (part, weights) in weights.chunks(INPUTS * COLUMNS).enumerate() {
        wide.clear();
        wide.extend(weights.iter().map(|&weight| weight.into()));
        add(part * INPUTS, &wide, &[]);
    }
}
