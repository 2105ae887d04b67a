//! Two-dimensional convolutions.

use rayon::prelude::*;

use crate::layout::{COLUMNS, ROWS};
use crate::pack::PackedShape;
use crate::tile::{Gathered, INPUTS, Tile};

/// An image in channels-last layout.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Height in pixels.
    pub rows: usize,
    /// Width in pixels.
    pub columns: usize,
    /// Number of channels.
    pub channels: usize,
    /// Pixel values, `[rows, columns, channels]`.
    pub pixels: &'a [f32],
}

/// Geometry of a convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Height and width of the kernel.
    pub side: usize,
    /// Vertical and horizontal stride.
    pub stride: usize,
    /// Zero padding: above and to the left, below and to the right.
    pub padding: (usize, usize),
    /// Factor of nearest-neighbour upsampling before the convolution; 1 for none.
    pub enlarged: usize,
}

/// Maximum number of tiles that a thread processes at once; their sums stay in its cache.
const TILES: usize = 40;

impl Convolution {
    /// Creates a convolution with stride 1 and padding `side / 2`, which preserves the image size if `side` is odd.
    pub fn same(side: usize) -> Self {
        Self { side, stride: 1, padding: (side / 2, side / 2), enlarged: 1 }
    }

    /// Returns the shape of the packed weights. The inputs are ordered by kernel row, kernel column, channel.
    pub fn weights(self, channels: usize, outputs: usize) -> PackedShape {
        PackedShape { inputs: self.side * self.side * channels, outputs }
    }

    /// Packs weights, `[outputs, channels, side, side]`, with the shape [`Convolution::weights`].
    ///
    /// # Panics
    /// If there are more weights than `outputs`.
    pub fn pack(self, weights: &[f32], channels: usize, outputs: usize) -> Vec<f32> {
        let (shape, taps) = (self.weights(channels, outputs), self.side * self.side);
        let mut packed = vec![0.0; shape.len()];
        for (output, weights) in weights.chunks_exact((channels * taps).max(1)).enumerate() {
            for (channel, weights) in weights.chunks_exact(taps).enumerate() {
                for (tap, &weight) in weights.iter().enumerate() {
                    packed[shape.place(tap * channels + channel, output)] = weight;
                }
            }
        }
        packed
    }

    /// Returns the height (or width) of the result for an image of height (or width) `image`.
    pub fn length(self, image: usize) -> usize {
        let padded = image * self.enlarged + self.padding.0 + self.padding.1;
        padded.checked_sub(self.side).map_or(0, |room| room / self.stride + 1)
    }
}

/// Computes a convolution. Calls `finish` with the index and the channels of each pixel of the result, to modify it in
/// place.
///
/// # Shapes
/// - `weights`: packed with the shape [`Convolution::weights`]
/// - `bias`: `[outputs]`
/// - returns: `[rows, columns, outputs]`, where rows and columns follow from [`Convolution::length`]
///
/// # Panics
/// Panics if a length does not match the shapes, or a dimension is 0.
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
    assert!(channels > 0 && outputs > 0, "the number of channels must be above 0");
    assert!(how.side > 0 && how.stride > 0 && how.enlarged > 0, "side, stride and upsampling must be above 0");
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

/// The inputs of a convolution, shared by all threads.
struct Task<'a> {
    image: Image<'a>,
    weights: &'a [f32],
    bias: &'a [f32],
    how: Convolution,
    /// Width of the result.
    width: usize,
    /// A pixel of the zero padding.
    zeros: Vec<f32>,
}

impl Task<'_> {
    /// Computes consecutive pixels of the result, starting at index `first`.
    fn compute(&self, first: usize, out: &mut [f32]) {
        let (outputs, channels, side) = (self.bias.len(), self.image.channels, self.how.side);
        let count = out.len() / outputs;
        let mut sums: Vec<Tile> = vec![[[0.0; COLUMNS]; ROWS]; count.div_ceil(ROWS)];
        // For each kernel position, the input pixels of each tile.
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

    /// Returns the input pixel under the kernel position (`down`, `right`) for pixel `number` of the result.
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
