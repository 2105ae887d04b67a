//! Matrix products with fused operations, and attention.

use candle_core::{Device, Result, Tensor};
use gtr_kernels::{Attention, COLUMNS, PackedShape};

use super::super::Epilogue;
use super::super::attention::Shape;
use crate::host_slice::numbers;

pub(in super::super) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, finish: Epilogue<'_>) -> Result<Tensor> {
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
            product(&|row, out| gtr_kernels::add(out, &added[row * outputs..][..outputs]))
        }
    };
    Tensor::from_vec(out, (rows, outputs), &Device::Cpu)
}

pub(in super::super) fn attention(queries: &Tensor, keys_values: &Tensor, shape: Shape) -> Result<Tensor> {
    let Shape { batch, heads, depth, .. } = shape;
    let dims = queries.dims2()?;
    let (queries, keys_values) = (numbers(queries)?, numbers(keys_values)?);
    let out = gtr_kernels::attention(queries.f32()?, keys_values.f32()?, Attention { batch, heads, depth });
    Tensor::from_vec(out, dims, &Device::Cpu)
}
