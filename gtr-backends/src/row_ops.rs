//! Row-wise operations on tensors.

use candle_core::{D, Device, Result, Tensor};
use rayon::prelude::*;

use crate::host_slice::numbers;

/// Normalises the last dimension (mean 0, variance 1). `affine`, if given, is a scale and a shift `[width]`. If
/// `modulation` is given, each row starts with a shift and a scale: the row is then multiplied by `1 + scale` and
/// `shift` is added.
pub(crate) fn layer_norm(
    x: &Tensor,
    affine: Option<(&Tensor, &Tensor)>,
    modulation: Option<&Tensor>,
    eps: f32,
) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if x.device().is_cpu() {
        let affine = match affine {
            Some((scale, shift)) => Some((numbers(scale)?, numbers(shift)?)),
            None => None,
        };
        let affine = match &affine {
            Some((scale, shift)) => Some((scale.f32()?, shift.f32()?)),
            None => None,
        };
        let rows = modulation.map(numbers).transpose()?;
        let modulation = match (modulation, &rows) {
            (Some(modulation), Some(rows)) => Some((rows.f32()?, modulation.dim(1)?)),
            _ => None,
        };
        return map(x, |index, row, out| {
            gtr_kernels::layer_norm(row, out, affine, eps);
            if let Some((rows, stride)) = modulation {
                let (shift, scale) = rows[index * stride..][..2 * width].split_at(width);
                for ((out, scale), shift) in out.iter_mut().zip(scale).zip(shift) {
                    *out = *out * (1.0 + scale) + shift;
                }
            }
        });
    }
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let mut x = centred.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
    if let Some((scale, shift)) = affine {
        x = x.broadcast_mul(scale)?.broadcast_add(shift)?;
    }
    if let Some(modulation) = modulation {
        let (shift, scale) = (modulation.narrow(1, 0, width)?, modulation.narrow(1, width, width)?);
        x = x.mul(&(scale + 1.0)?)?.add(&shift)?;
    }
    Ok(x)
}

/// Computes `x + gate * y`. `gate` follows shift and scale in each row of `modulation`.
pub(crate) fn gated_sum(x: &Tensor, modulation: &Tensor, y: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if x.device().is_cpu() {
        let stride = modulation.dim(1)?;
        let (modulation, y) = (numbers(modulation)?, numbers(y)?);
        let (modulation, y) = (modulation.f32()?, y.f32()?);
        return map(x, |index, row, out| {
            let gate = &modulation[index * stride + 2 * width..][..width];
            for (((out, x), gate), y) in out.iter_mut().zip(row).zip(gate).zip(&y[index * width..]) {
                *out = x + gate * y;
            }
        });
    }
    x + modulation.narrow(1, 2 * width, width)?.mul(y)?
}

/// Computes the sigmoid linear unit (`SiLU`) of `x + y`.
pub(crate) fn silu_of_sum(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() && x.dims() == y.dims() {
        let width = x.dim(D::Minus1)?;
        let y = numbers(y)?;
        let y = y.f32()?;
        return map(x, |index, row, out| {
            for ((out, x), y) in out.iter_mut().zip(row).zip(&y[index * width..]) {
                *out = x + y;
            }
            gtr_kernels::silu(out);
        });
    }
    (x + y)?.silu()
}

/// Divides the last dimension by its root mean square, then multiplies by `scale` `[width]`.
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor, eps: f32) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?.broadcast_mul(scale)
}

/// Smallest number of elements for which several threads are faster.
const SMALL: usize = 1 << 15;

/// Calls `row` with the index, the input and the output of each row.
fn map(x: &Tensor, row: impl Fn(usize, &[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let (input, width) = (numbers(x)?, x.dim(D::Minus1)?.max(1));
    let input = input.f32()?;
    let mut out = vec![0.0; input.len()];
    if out.len() < SMALL {
        let rows = input.chunks_exact(width).zip(out.chunks_exact_mut(width));
        rows.enumerate().for_each(|(index, (x, out))| row(index, x, out));
    } else {
        let rows = input.par_chunks_exact(width).zip(out.par_chunks_exact_mut(width));
        rows.enumerate().for_each(|(index, (x, out))| row(index, x, out));
    }
    Tensor::from_vec(out, x.shape(), &Device::Cpu)
}
