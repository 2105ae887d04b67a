//! Row-wise operations on tensors.

use candle_core::{D, Device, Result, Tensor};
use rayon::prelude::*;

use super::super::rows;
use crate::host_slice::numbers;

pub(in super::super) fn layer_norm(
    x: &Tensor,
    affine: Option<&Tensor>,
    modulation: Option<&Tensor>,
    eps: f32,
) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    let affine = affine.map(numbers).transpose()?;
    let affine = match &affine {
        Some(affine) => Some(affine.f32()?.split_at(width)),
        None => None,
    };
    let values = modulation.map(numbers).transpose()?;
    let modulation = match (modulation, &values) {
        (Some(modulation), Some(values)) => Some((values.f32()?, modulation.dim(1)?)),
        _ => None,
    };
    map(x, |index, row, out| {
        let modulation = modulation.map(|(rows, stride)| rows[index * stride..][..2 * width].split_at(width));
        rows::layer_norm(row, out, affine, modulation, eps);
    })
}

pub(in super::super) fn gated_sum(x: &Tensor, modulation: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (width, stride) = (x.dim(D::Minus1)?, modulation.dim(1)?);
    let (modulation, y) = (numbers(modulation)?, numbers(y)?);
    let (modulation, y) = (modulation.f32()?, y.f32()?);
    map(x, |index, row, out| {
        let gate = &modulation[index * stride + 2 * width..][..width];
        gtr_kernels::gated_sum(row, gate, &y[index * width..][..width], out);
    })
}

/// Computes `SiLU` of `x + y`. `y` has a multiple of the rows of `x`, and each of its parts takes all of them.
pub(in super::super) fn silu_of_sum(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (count, width) = x.dims2()?;
    let x = numbers(x)?;
    let x = x.f32()?;
    map(y, |index, y, out| rows::silu_of_sum(&x[index % count * width..][..width], y, out))
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
