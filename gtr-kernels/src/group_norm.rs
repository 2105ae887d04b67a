//! Group normalisation.

use rayon::prelude::*;

use crate::elementwise::silu_in_place;

/// Number of pixels per partial sum. Fixed, so that the order of summation does not depend on the number of threads.
const PIXELS: usize = 512;

/// Applies group normalisation: normalises each group of channels over the whole image to mean 0 and variance 1, then
/// applies the scale and the shift of each channel. If `activated`, applies [`silu`](crate::silu) to the result.
///
/// # Shapes
/// - `pixels`: `[pixels, channels]`
/// - `scale`, `shift`: `[channels]`; the number of channels is a multiple of `groups`
/// - returns: `[pixels, channels]`
///
/// # Panics
/// Panics if a length does not match the shapes.
///
/// # Examples
/// ```
/// // Two groups of one channel each.
/// let out = gtr_kernels::group_norm(&[1.0, 5.0, 3.0, 5.0], 2, (&[1.0, 1.0], &[0.0, 7.0]), 1e-9, false);
/// assert_eq!(out, [-1.0, 7.0, 1.0, 7.0]);
/// ```
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "fewer than 2^53 pixels; f32 is the result"
)]
pub fn group_norm(
    pixels: &[f32],
    groups: usize,
    (scale, shift): (&[f32], &[f32]),
    eps: f64,
    activated: bool,
) -> Vec<f32> {
    let channels = scale.len();
    assert!(groups > 0 && channels.is_multiple_of(groups) && channels > 0, "{groups} groups of {channels} channels");
    assert_eq!(shift.len(), channels, "one shift per channel");
    assert!(pixels.len().is_multiple_of(channels), "pixels of {channels} channels in {} values", pixels.len());
    let parts: Vec<Vec<[f64; 2]>> = pixels.par_chunks(PIXELS * channels).map(|part| sums(part, channels)).collect();
    let width = channels / groups;
    let count = (pixels.len() / channels * width) as f64;
    let (mut means, mut factors) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for (group, scale) in scale.chunks_exact(width).enumerate() {
        let mine = parts.iter().flat_map(|sums| &sums[group * width..][..width]);
        let [sum, squares] = mine.fold([0.0, 0.0], |[sum, squares], &[one, square]| [sum + one, squares + square]);
        let mean = sum / count;
        let factor = 1.0 / ((squares / count - mean * mean).max(0.0) + eps).sqrt();
        means.resize(means.len() + width, mean as f32);
        factors.extend(scale.iter().map(|&scale| (factor * f64::from(scale)) as f32));
    }
    let mut out = vec![0.0; pixels.len()];
    let parts = out.par_chunks_mut(PIXELS * channels).zip(pixels.par_chunks(PIXELS * channels));
    parts.for_each(|(out, pixels)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, pixel) in out.chunks_exact_mut(channels).zip(pixels.chunks_exact(channels)) {
                    let channels = means.iter().zip(&factors).zip(shift);
                    for ((out, value), ((mean, factor), shift)) in out.iter_mut().zip(pixel).zip(channels) {
                        *out = (value - mean) * factor + shift;
                    }
                    if activated {
                        silu_in_place(out);
                    }
                }
            },
        );
    });
    out
}

/// Returns the sum and the sum of squares of each channel.
fn sums(pixels: &[f32], channels: usize) -> Vec<[f64; 2]> {
    let mut sums = vec![[0.0; 2]; channels];
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for pixel in pixels.chunks_exact(channels) {
                for ([sum, squares], &value) in sums.iter_mut().zip(pixel) {
                    let value = f64::from(value);
                    *sum += value;
                    *squares += value * value;
                }
            }
        },
    );
    sums
}
