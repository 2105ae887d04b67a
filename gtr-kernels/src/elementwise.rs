//! Elementwise and row-wise functions.
//!
//! They use no fused multiply-add, so the bits are the same on all machines.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

/// Applies the Gaussian error linear unit, `x (1 + erf(x / sqrt(2))) / 2`, to each element.
///
/// # Examples
/// ```
/// let mut x = [-1.0, 0.0, 2.0];
/// gtr_kernels::gelu(&mut x);
/// assert!((x[2] - 1.954_5).abs() < 1e-4);
/// ```
pub fn gelu(x: &mut [f32]) {
    each(x, |x| 0.5 * x * (1.0 + erf(x * FRAC_1_SQRT_2)));
}

/// Applies the sigmoid linear unit, `x / (1 + exp(-x))`, to each element.
///
/// # Examples
/// ```
/// let mut x = [0.0, 100.0];
/// gtr_kernels::silu(&mut x);
/// assert_eq!(x, [0.0, 100.0]);
/// ```
pub fn silu(x: &mut [f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || silu_in_place(x),
    );
}

/// [`silu`] without dispatch, to be called from a dispatched function.
#[inline(always)]
pub(crate) fn silu_in_place(x: &mut [f32]) {
    for value in x.iter_mut() {
        *value /= 1.0 + exp(-*value);
    }
}

/// Applies softmax to a row.
///
/// # Examples
/// ```
/// let mut row = [0.0, 0.0];
/// gtr_kernels::softmax(&mut row);
/// assert_eq!(row, [0.5, 0.5]);
/// ```
pub fn softmax(row: &mut [f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || softmax_in_place(row),
    );
}

/// [`softmax`] without dispatch, to be called from a dispatched function.
#[inline(always)]
pub(crate) fn softmax_in_place(row: &mut [f32]) {
    let largest = lanes(row, f32::NEG_INFINITY, |a, b| if a > b { a } else { b }, |value| value);
    for value in row.iter_mut() {
        *value = exp(*value - largest);
    }
    let factor = 1.0 / lanes(row, 0.0, |a, b| a + b, |value| value);
    for value in row.iter_mut() {
        *value *= factor;
    }
}

/// Normalises a row to mean 0 and variance 1, then applies `affine`, a pair of scale and shift, if given.
///
/// # Shapes
/// `row`, `out`, scale and shift have the same length.
///
/// # Examples
/// ```
/// let mut out = [0.0; 2];
/// gtr_kernels::layer_norm(&[1.0, 3.0], &mut out, Some((&[1.0, 1.0], &[5.0, 5.0])), 0.0);
/// assert_eq!(out, [4.0, 6.0]);
/// ```
pub fn layer_norm(row: &[f32], out: &mut [f32], affine: Option<(&[f32], &[f32])>, eps: f32) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let (mean, factor) = moments(row, eps);
            if let Some((scale, shift)) = affine {
                for (((out, value), scale), shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                    *out = (value - mean) * factor * scale + shift;
                }
            } else {
                for (out, value) in out.iter_mut().zip(row) {
                    *out = (value - mean) * factor;
                }
            }
        },
    );
}

/// Scales and shifts a row as adaptive layer normalisation does: `row * (1 + scale) + shift`.
///
/// # Shapes
/// `row`, shift and scale have the same length.
///
/// # Examples
/// ```
/// let mut row = [1.0, -1.0];
/// gtr_kernels::modulate(&mut row, &[0.5, 0.5], &[1.0, 2.0]);
/// assert_eq!(row, [2.5, -2.5]);
/// ```
pub fn modulate(row: &mut [f32], shift: &[f32], scale: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((value, shift), scale) in row.iter_mut().zip(shift).zip(scale) {
                *value = *value * (1.0 + scale) + shift;
            }
        },
    );
}

/// Adds a row to another one.
///
/// # Shapes
/// Both have the same length.
///
/// # Examples
/// ```
/// let mut row = [1.0, 2.0];
/// gtr_kernels::add(&mut row, &[0.5, -2.0]);
/// assert_eq!(row, [1.5, 0.0]);
/// ```
pub fn add(row: &mut [f32], added: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (value, added) in row.iter_mut().zip(added) {
                *value += added;
            }
        },
    );
}

/// Computes `x + gate * y`, the residual connection of a block with a gate.
///
/// # Shapes
/// All rows have the same length.
///
/// # Examples
/// ```
/// let mut out = [0.0; 2];
/// gtr_kernels::gated_sum(&[1.0, 2.0], &[0.5, 0.0], &[4.0, 4.0], &mut out);
/// assert_eq!(out, [3.0, 2.0]);
/// ```
pub fn gated_sum(x: &[f32], gate: &[f32], y: &[f32], out: &mut [f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (((out, x), gate), y) in out.iter_mut().zip(x).zip(gate).zip(y) {
                *out = x + gate * y;
            }
        },
    );
}

/// Returns the mean and the reciprocal of the standard deviation.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "rows are shorter than 2^24")]
fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let mean = lanes(row, 0.0, |a, b| a + b, |value| value) / row.len() as f32;
    let variance = lanes(row, 0.0, |a, b| a + b, |value| (value - mean) * (value - mean)) / row.len() as f32;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// Reduces a row in a fixed order that vectorises: first per lane, then by pairwise halving of the lanes.
#[inline(always)]
fn lanes(row: &[f32], start: f32, join: impl Fn(f32, f32) -> f32, value: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<64>();
    let mut lanes = [start; 64];
    for chunk in chunks {
        for (lane, &element) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, value(element));
        }
    }
    for (lane, &element) in lanes.iter_mut().zip(rest) {
        *lane = join(*lane, value(element));
    }
    let mut half = lanes.len() / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn each(x: &mut [f32], function: impl Fn(f32) -> f32) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for value in x.iter_mut() {
                *value = function(*value);
            }
        },
    );
}

/// Error function as a ratio of polynomials, with an error below 2e-8 before rounding.
#[inline(always)]
fn erf(x: f32) -> f32 {
    /// From here on, erf(x) rounds to 1.
    const END: f32 = 3.92;
    let square = x * x;
    let above = polynomial(
        square,
        [FRAC_2_SQRT_PI, 0.190_403_64, 0.052_748_352, 0.003_765_494_6, 0.000_284_879_76, 2.050_107_2e-6],
    );
    let below = polynomial(square, [1.0, 0.502_073_6, 0.114_107_944, 0.014_968_975, 0.001_162_505_2, 3.809_176_3e-5]);
    if x.abs() >= END { 1.0_f32.copysign(x) } else { x * above / below }
}

/// Exponential function: a power of two times a polynomial, with an error of the polynomial below 3e-9 before rounding.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23. Adding it to a small number rounds the number to an integer, stored in the lowest bits.
    const ROUNDING: f32 = 12_582_912.0;
    /// ln(2) in two parts. The first part has few bits, so its product with an integer is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];
    // Outside this range the result is not a normal number.
    let x = x.clamp(-87.3, 88.7);
    let rounded = x * LOG2_E + ROUNDING;
    let whole = rounded - ROUNDING;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let fraction =
        polynomial(rest, [1.0, 1.0, 0.499_999_94, 0.166_665_22, 0.041_668_39, 0.008_368_712, 0.001_381_461_7]);
    fraction * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}
