//! Matrix products with fused operations, and attention.

use candle_core::{DType, Result, Tensor};
use gtr_kernels::{Attention, COLUMNS, PackedShape};

use crate::host_slice::numbers;

/// Operation fused into a product.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Epilogue<'a> {
    Nothing,
    /// Gaussian error linear unit (GELU), with the error function.
    Gelu,
    /// Sigmoid linear unit (`SiLU`).
    Silu,
    /// Adds these rows.
    Add(&'a Tensor),
}

/// Computes `x W + b` and the fused operation. `x` is `[rows, in]`, `bias` is `[out]`; both and the result are f32.
/// `weight` may have 16 bits. On the CPU it is packed as `[blocks, in, 64]` (see [`gtr_kernels`]), on other devices it
/// is `[in, out]`.
///
/// On the CPU a row of the result does not depend on the other rows.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, finish: Epilogue<'_>) -> Result<Tensor> {
    if x.device().is_cpu() {
        return packed(x, weight, bias, finish);
    }
    let product = x.to_dtype(weight.dtype())?.matmul(weight)?;
    let product = product.to_dtype(DType::F32)?.broadcast_add(bias)?;
    match finish {
        Epilogue::Nothing => Ok(product),
        Epilogue::Gelu => product.gelu_erf(),
        Epilogue::Silu => product.silu(),
        Epilogue::Add(rows) => product + rows,
    }
}

fn packed(x: &Tensor, weight: &Tensor, bias: &Tensor, finish: Epilogue<'_>) -> Result<Tensor> {
    let ((rows, inputs), outputs) = (x.dims2()?, bias.dims1()?);
    let shape = PackedShape { inputs, outputs };
    if weight.dims() != [shape.blocks(), inputs, COLUMNS] {
        candle_core::bail!(
            "rows of width {inputs} do not fit weights of shape {:?} with {outputs} outputs",
            weight.dims()
        );
    }
    let (x, weight, bias) = (numbers(x)?, numbers(weight)?, numbers(bias)?);
    let (x, bias) = (x.f32()?, bias.f32()?);
    let weight = weight.weights()?;
    let product = |finish: &(dyn Fn(usize, &mut [f32]) + Sync)| gtr_kernels::product(x, weight, shape, bias, finish);
    let out = match finish {
        Epilogue::Nothing => product(&|_, _| ()),
        Epilogue::Gelu => product(&|_, row| gtr_kernels::gelu(row)),
        Epilogue::Silu => product(&|_, row| gtr_kernels::silu(row)),
        Epilogue::Add(added) => {
            if added.dims() != [rows, outputs] {
                candle_core::bail!("shape {:?} cannot be added to {rows} rows of width {outputs}", added.dims());
            }
            let added = numbers(added)?;
            let added = added.f32()?;
            product(&|row, out| {
                for (out, added) in out.iter_mut().zip(&added[row * outputs..]) {
                    *out += added;
                }
            })
        }
    };
    Tensor::from_vec(out, (rows, outputs), &candle_core::Device::Cpu)
}

/// Computes attention of `queries` `[batch * m, width]` over `keys_values` `[batch * n, 2 * width]`, whose rows are a
/// key followed by a value. Returns `[batch * m, width]`.
#[expect(clippy::cast_precision_loss, reason = "heads are narrower than 2^24")]
pub(crate) fn attention(queries: &Tensor, keys_values: &Tensor, batch: usize, heads: usize) -> Result<Tensor> {
    let ((asking, width), (looked_at, both)) = (queries.dims2()?, keys_values.dims2()?);
    let fits = heads > 0 && batch > 0 && width.is_multiple_of(heads) && both == 2 * width;
    if !fits || !asking.is_multiple_of(batch) || !looked_at.is_multiple_of(batch) || looked_at == 0 {
        candle_core::bail!("{asking} queries of width {width} do not fit {looked_at} keys and values of width {both}");
    }
    let depth = width / heads;
    if queries.device().is_cpu() {
        let (queries, keys_values) = (numbers(queries)?, numbers(keys_values)?);
        let out = gtr_kernels::attention(queries.f32()?, keys_values.f32()?, Attention { batch, heads, depth });
        return Tensor::from_vec(out, (asking, width), &candle_core::Device::Cpu);
    }
    let (m, n) = (asking / batch, looked_at / batch);
    let keys_values = keys_values.reshape((batch, n, 2, heads, depth))?;
    let keys_values = keys_values.permute((2, 0, 3, 1, 4))?.contiguous()?; // (2, batch, heads, n, depth)
    let query = (queries * (depth as f64).powf(-0.5))?;
    let query = query.reshape((batch, m, heads, depth))?.transpose(1, 2)?.contiguous()?; // (batch, heads, m, depth)
    let scores = query.matmul(&keys_values.get(0)?.t()?)?; // (batch, heads, m, n)
    let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&keys_values.get(1)?)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((asking, width)) // (batch, m, heads, depth) before
}
