//! Row-wise operations, and the tiles by which a product's result for a row does not depend on the rows around it.
//!
//! The matrix product of the CPU chooses its method by the number of rows: one row, few rows and many rows are summed in
//! different orders, and so differ in the last bits. Where rows of different images, or of different step counts, share a
//! product, it is therefore cut into tiles of always the same number of rows.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Rows of a tile: as many as the AVX-512 kernels of the product take at once, so that none is left over for a slower one.
/// More would be wasted by the first steps of a plan, which draw a token or two.
pub(crate) const TILE: usize = 6;

/// Rows needed so that `count` rows fill whole tiles; on other devices than the CPU nothing is tiled.
pub(crate) fn padded(count: usize, on_cpu: bool) -> usize {
    if on_cpu { count.next_multiple_of(TILE) } else { count }
}

/// Adds rows of zeros up to `count`.
pub(crate) fn pad(rows: &Tensor, count: usize) -> Result<Tensor> {
    match count - rows.dim(0)? {
        0 => Ok(rows.clone()),
        missing => rows.pad_with_zeros(0, 0, missing),
    }
}

/// Normalises the last dimension (mean 0, variance 1), then scales and shifts by `scale` and `shift` `[width]`.
pub(crate) fn layer_norm(x: &Tensor, scale: &Tensor, shift: &Tensor, eps: f32) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op3_no_bwd(scale, shift, &LayerNorm { eps });
    }
    normalize(x, eps)?.broadcast_mul(scale)?.broadcast_add(shift)
}

/// `x * (1 + scale) + shift`, where a row of `modulation` begins with `shift` and `scale`, each as wide as `x`.
pub(crate) fn modulate(x: &Tensor, modulation: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op2_no_bwd(modulation, &Modulate);
    }
    let width = x.dim(D::Minus1)?;
    let (shift, scale) = (modulation.narrow(1, 0, width)?, modulation.narrow(1, width, width)?);
    x.mul(&(scale + 1.0)?)?.add(&shift)
}

/// `x + gate * y`, where `gate` is what follows shift and scale in a row of `modulation`.
pub(crate) fn gated_sum(x: &Tensor, modulation: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op3_no_bwd(modulation, y, &GatedSum);
    }
    let width = x.dim(D::Minus1)?;
    x + modulation.narrow(1, 2 * width, width)?.mul(y)?
}

/// Normalises the last dimension to mean 0 and variance 1.
pub(crate) fn normalize(x: &Tensor, eps: f32) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op1_no_bwd(&Normalize { eps });
    }
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)
}

/// Divides the last dimension by its root mean square, then scales by `scale` `[width]`.
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor, eps: f32) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?.broadcast_mul(scale)
}

/// Mean and reciprocal standard deviation of a row.
#[expect(clippy::cast_precision_loss, reason = "rows are shorter than 2^24")]
fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let mean = lane_sum(row, |value| value) / row.len() as f32;
    let variance = lane_sum(row, |value| (value - mean) * (value - mean)) / row.len() as f32;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// A sum in a fixed order that the compiler can compute with vectors.
fn lane_sum(row: &[f32], value: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for chunk in chunks {
        for (lane, &element) in lanes.iter_mut().zip(chunk) {
            *lane += value(element);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&element| value(element)).sum::<f32>()
}

/// The values of a contiguous f32 tensor.
pub(crate) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else { candle_core::bail!("only f32 is computed on the CPU") };
    contiguous(values, layout)
}

/// The elements of a contiguous tensor.
pub(crate) fn contiguous<'a, T>(elements: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&elements[start..end]),
        None => candle_core::bail!("the operand must be contiguous"),
    }
}

fn width(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1)
}

/// Fewer elements than this are not worth a second thread.
const SMALL: usize = 1 << 15;

/// Calls `row` with the number and the output of each row of `width`.
fn for_each_row(width: usize, out: &mut [f32], row: impl Fn(usize, &mut [f32]) + Sync) {
    if out.len() < SMALL {
        out.chunks_exact_mut(width).enumerate().for_each(|(index, out)| row(index, out));
    } else {
        out.par_chunks_exact_mut(width).enumerate().for_each(|(index, out)| row(index, out));
    }
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, scale, shift) = (values(x, layout)?, values(scale, scale_layout)?, values(shift, shift_layout)?);
        let width = width(layout);
        let mut out = vec![0.0; x.len()];
        for_each_row(width, &mut out, |index, out| {
            let row = &x[index * width..][..width];
            let (mean, factor) = moments(row, self.eps);
            for (((out, value), scale), shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                *out = (value - mean) * factor * scale + shift;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

struct Normalize {
    eps: f32,
}

impl CustomOp1 for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, width) = (values(x, layout)?, width(layout));
        let mut out = vec![0.0; x.len()];
        for_each_row(width, &mut out, |index, out| {
            let row = &x[index * width..][..width];
            let (mean, factor) = moments(row, self.eps);
            for (out, value) in out.iter_mut().zip(row) {
                *out = (value - mean) * factor;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

struct Modulate;

impl CustomOp2 for Modulate {
    fn name(&self) -> &'static str {
        "modulate"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        modulation: &CpuStorage,
        modulation_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, modulation) = (values(x, layout)?, values(modulation, modulation_layout)?);
        let (width, stride) = (width(layout), self::width(modulation_layout));
        let mut out = vec![0.0; x.len()];
        for_each_row(width, &mut out, |index, out| {
            let row = &x[index * width..][..width];
            let (shift, scale) = modulation[index * stride..][..2 * width].split_at(width);
            for (((out, value), scale), shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                *out = value * (1.0 + scale) + shift;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

struct GatedSum;

impl CustomOp3 for GatedSum {
    fn name(&self) -> &'static str {
        "gated-sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        modulation: &CpuStorage,
        modulation_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, modulation, y) = (values(x, layout)?, values(modulation, modulation_layout)?, values(y, y_layout)?);
        let (width, stride) = (width(layout), self::width(modulation_layout));
        let mut out = vec![0.0; x.len()];
        for_each_row(width, &mut out, |index, out| {
            let gate = &modulation[index * stride + 2 * width..][..width];
            let (x, y) = (&x[index * width..][..width], &y[index * width..][..width]);
            for (((out, x), gate), y) in out.iter_mut().zip(x).zip(gate).zip(y) {
                *out = x + gate * y;
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}
