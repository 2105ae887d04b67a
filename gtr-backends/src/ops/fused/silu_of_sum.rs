//! Activation of embedded timesteps and conditions.

use candle_core::{DType, Result, Shape, Tensor};

use super::super::rows;
use super::{Argument, Call, Kernel, Operand, run3};

pub(super) struct SiluOfSum;

/// Computes `SiLU` of `table[index] + rows`. See [`ComputePath::silu_of_sum`](crate::compute::ComputePath).
pub(in super::super) fn silu_of_sum(table: &Tensor, index: &Tensor, rows: &Tensor) -> Result<Tensor> {
    let ((_, width), (count, wide), indices) = (table.dims2()?, rows.dims2()?, index.dims1()?);
    if wide != width || indices == 0 || !count.is_multiple_of(indices) {
        candle_core::bail!("{count} rows of width {wide} do not fit {indices} rows of width {width}");
    }
    if table.dtype() != DType::F32 || rows.dtype() != DType::F32 || index.dtype() != DType::U32 {
        candle_core::bail!("expected rows in f32 and an index of u32");
    }
    run3(SiluOfSum, [table, index, rows])
}

impl Kernel<3> for SiluOfSum {
    const NAME: &'static str = "silu-of-sum";

    fn call(&self, [_, (index, _), (rows, _)]: [(&Shape, DType); 3]) -> Result<Call> {
        let mut arguments: Vec<_> = (0..3).map(Argument::Operand).collect();
        arguments.extend([Argument::size(rows.dims()[1])?, Argument::size(index.elem_count())?]);
        Call::elements("silu_of_sum", rows, DType::F32, arguments)
    }

    fn reference(&self, [table, index, rows]: [Operand<'_>; 3]) -> Result<Vec<f32>> {
        let (height, width) = (table.dims()[0], table.dims()[1]);
        let (table, index, rows) = (table.floats()?, index.index()?, rows.floats()?);
        let mut out = vec![0.0; rows.len()];
        let each = rows.chunks_exact(width.max(1)).zip(out.chunks_exact_mut(width.max(1)));
        for ((row, out), &place) in each.zip(index.iter().cycle()) {
            let place = place as usize;
            if place >= height {
                candle_core::bail!("row {place} is not in a table of {height} rows");
            }
            rows::silu_of_sum(&table[place * width..][..width], row, out);
        }
        Ok(out)
    }
}
