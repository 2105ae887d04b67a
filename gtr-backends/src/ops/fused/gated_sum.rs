//! Residual connection with a gate.

use candle_core::{DType, Result, Shape, Tensor};

use super::{Argument, Call, Kernel, Operand, run3};

pub(super) struct GatedSum;

/// Computes `x + gate * y` for `x` and `y` `[rows, width]`. The gate is the third part of `modulation`
/// `[rows, 3 * width]`.
pub(in super::super) fn gated_sum(x: &Tensor, modulation: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (count, width) = x.dims2()?;
    if y.dims() != [count, width] || modulation.dims() != [count, 3 * width] {
        let (y, modulation) = (y.dims(), modulation.dims());
        candle_core::bail!("rows of shape {y:?} and a modulation of {modulation:?} do not fit {count} rows of {width}");
    }
    if [x, modulation, y].into_iter().any(|operand| operand.dtype() != DType::F32) {
        candle_core::bail!("expected operands of a residual connection in f32");
    }
    run3(GatedSum, [x, modulation, y])
}

impl Kernel<3> for GatedSum {
    const NAME: &'static str = "gated-sum";

    fn call(&self, [(shape, _), _, _]: [(&Shape, DType); 3]) -> Result<Call> {
        let mut arguments: Vec<_> = (0..3).map(Argument::Operand).collect();
        arguments.push(Argument::size(shape.dims()[1])?);
        Call::elements("gated_sum", shape, DType::F32, arguments)
    }

    fn reference(&self, [x, modulation, y]: [Operand<'_>; 3]) -> Result<Vec<f32>> {
        let width = x.dims()[1];
        let (x, modulation, y) = (x.floats()?, modulation.floats()?, y.floats()?);
        let mut out = vec![0.0; x.len()];
        for (index, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
            let (row, gate) = (index * width, (3 * index + 2) * width);
            gtr_kernels::gated_sum(&x[row..][..width], &modulation[gate..][..width], &y[row..][..width], out);
        }
        Ok(out)
    }
}
