//! Convolutions: products of weights with what lies around each pixel.

use rayon::prelude::*;

use crate::layout::{COLUMNS, ROWS};
use crate::pack::PackedShape;
use crate::tile::{Gathered, INPUTS, Tile};

/// An image, pixel by pixel: the channels of a pixel lie side by side.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Rows of pixels.
    pub rows: usize,
    /// Columns of pixels.
    pub columns: usize,
    /// Numbers of a pixel.
    pub channels: usize,
    /// `[rows, columns, channels]`.
    pub pixels: &'a [f32],
}

/// How a square kernel goes over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Rows, and columns, of the kernel.
    pub side: usize,
    /// Rows, and columns, from one place of the kernel to the next.
    pub stride: usize,
    /// Zeros above and on the left of the image, and below and on its right.
    pub padding: (usize, usize),
    /// How often each row and each column stands, as if the image had been enlarged before.
    pub enlarged: usize,
}

/// Tiles that a thread takes at once, at most: their sums stay in its cache.
const TILES: usize = 40;

impl Convolution {
    /// A kernel that leaves an image its size.
    pub fn same(side: usize) -> Self {
        Self { side, stride: 1, padding: (side / 2, side / 2), enlarged: 1 }
    }

    /// The weights that it takes, packed as a product's: inputs are the kernel's rows, in them its columns, in them channels.
    pub fn weights(self, channels: usize, outputs: usize) -> PackedShape {
        PackedShape { inputs: self.side * self.side * channels, outputs }
    }

    /// Rows, or columns, of the result for so many of the image.
    pub fn length(self, image: usize) -> usize {
        let padded = image * self.enlarged + self.padding.0 + self.padding.1;
        padded.checked_sub(self.side).map_or(0, |room| room / self.stride + 1)
    }
}

/// The image after a convolution, each pixel of which is handed to `finish` with its number before it is done.
///
/// # Shapes
/// - `weights`: [`Convolution::weights`], packed
/// - `bias`: `[outputs]`
/// - returns: `[rows, columns, outputs]`, of [`Convolution::length`] rows and columns
///
/// # Panics
/// If the lengths contradict the shapes.
///
/// # Examples
/// ```
/// use gtr_kernels::{Convolution, Image, convolution};
///
/// // The sum of a pixel and its neighbours.
/// let how = Convolution::same(3);
/// let shape = how.weights(1, 1);
/// let mut weights = vec![0.0; shape.len()];
/// for input in 0..9 {
///     weights[shape.place(input, 0)] = 1.0;
/// }
/// let image = Image { rows: 1, columns: 3, channels: 1, pixels: &[1.0, 2.0, 4.0] };
/// assert_eq!(convolution(image, &weights, &[0.0], how, &|_, _| ()), [3.0, 7.0, 6.0]);
/// ```
pub fn convolution(
    image: Image<'_>,
    weights: &[f32],
    bias: &[f32],
    how: Convolution,
    finish: &(dyn Fn(usize, &mut [f32]) + Sync),
) -> Vec<f32> {
    let Image { rows, columns, channels, pixels } = image;
    let outputs = bias.len();
    assert!(channels > 0 && outputs > 0, "pixels have channels");
    assert!(how.side > 0 && how.stride > 0 && how.enlarged > 0, "a kernel has a side, a stride and an image");
    assert_eq!(pixels.len(), rows * columns * channels, "an image of {rows} x {columns} x {channels}");
    assert_eq!(weights.len(), how.weights(channels, outputs).len(), "weights from {channels} channels to {outputs}");
    let width = how.length(columns);
    let count = how.length(rows) * width;
    let mut out = vec![0.0; count * outputs];
    let part = count.div_ceil(ROWS).div_ceil(rayon::current_num_threads()).clamp(1, TILES) * ROWS;
    let task = Task { image, weights, bias, how, width, zeros: vec![0.0; channels] };
    out.par_chunks_mut(part * outputs).enumerate().for_each(|(number, out)| {
        task.compute(number * part, out);
        for (pixel, out) in out.chunks_exact_mut(outputs).enumerate() {
            finish(number * part + pixel, out);
        }
    });
    out
}

/// A convolution, whichever pixels a thread takes.
struct Task<'a> {
    image: Image<'a>,
    weights: &'a [f32],
    bias: &'a [f32],
    how: Convolution,
    /// Columns of the result.
    width: usize,
    /// A pixel beyond the edge.
    zeros: Vec<f32>,
}

impl Task<'_> {
    /// Some pixels of the result, of which the first has this number.
    fn compute(&self, first: usize, out: &mut [f32]) {
        let (outputs, channels, side) = (self.bias.len(), self.image.channels, self.how.side);
        let count = out.len() / outputs;
        let mut sums: Vec<Tile> = vec![[[0.0; COLUMNS]; ROWS]; count.div_ceil(ROWS)];
        // What each place of the kernel meets, tile by tile.
        let taps: Vec<Vec<[&[f32]; ROWS]>> = (0..side * side)
            .map(|tap| {
                let meets = |pixel: usize| self.pixel(first + pixel, tap / side, tap % side);
                let tile = |tile: usize| std::array::from_fn(|row| meets((tile * ROWS + row).min(count - 1)));
                (0..sums.len()).map(tile).collect()
            })
            .collect();
        let mut rows = Vec::with_capacity(sums.len());
        for (block, bias) in self.bias.chunks(COLUMNS).enumerate() {
            sums.fill([[0.0; COLUMNS]; ROWS]);
            let length = side * side * channels * COLUMNS;
            let weights = &self.weights[block * length..][..length];
            for (tap, weights) in taps.iter().zip(weights.chunks_exact(channels * COLUMNS)) {
                for (part, weights) in weights.chunks(INPUTS * COLUMNS).enumerate() {
                    rows.clear();
                    rows.extend(tap.iter().map(|rows| rows.map(|row| &row[part * INPUTS..])));
                    Gathered { rows: &rows, weights: weights.as_chunks().0, out: &mut sums }.run();
                }
            }
            for (out, sums) in out.chunks_exact_mut(outputs).zip(sums.as_flattened()) {
                for ((out, sum), bias) in out[block * COLUMNS..].iter_mut().zip(sums).zip(bias) {
                    *out = sum + bias;
                }
            }
        }
    }

    /// What a place of the kernel meets, for a pixel of the result.
    fn pixel(&self, number: usize, down: usize, right: usize) -> &[f32] {
        let Convolution { stride, padding, enlarged, .. } = self.how;
        let at = |place: usize, step: usize, length: usize| {
            let place = (place * stride + step).checked_sub(padding.0)? / enlarged;
            (place < length).then_some(place)
        };
        let Image { rows, columns, channels, pixels } = self.image;
        match (at(number / self.width, down, rows), at(number % self.width, right, columns)) {
            (Some(row), Some(column)) => &pixels[(row * columns + column) * channels..][..channels],
            _ => &self.zeros,
        }
    }
}
