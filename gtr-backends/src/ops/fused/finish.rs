//! Bias and activation of a product.

use candle_core::{DType, Result, Shape, Tensor};

use super::super::Epilogue;
use super::{Argument, Call, Kernel, Operand, run3};

/// Adds a bias to each row, then applies the operation.
pub(super) struct Finish {
    pub(super) kind: Kind,
    pub(super) out: DType,
}

/// Operation. The numbers are those of `cuda/finish.cuh`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing = 0,
    Gelu = 1,
    Silu = 2,
    /// Adds the rows of the third operand, which is ignored otherwise.
    Add = 3,
}

/// Adds `bias` `[out]` to each row of `product` `[rows, out]`, which may have 16 bits, and applies the operation in f32.
pub(in super::super) fn finish(product: &Tensor, bias: &Tensor, finish: Epilogue<'_>, out: DType) -> Result<Tensor> {
    let (kind, third) = match finish {
        Epilogue::Nothing => (Kind::Nothing, bias),
        Epilogue::Gelu => (Kind::Gelu, bias),
        Epilogue::Silu => (Kind::Silu, bias),
        Epilogue::Add(rows) => (Kind::Add, rows),
    };
    let (rows, width) = product.dims2()?;
    let expected = if kind == Kind::Add { &[rows, width][..] } else { &[width] };
    if bias.dims() != [width] || third.dims() != expected {
        let (bias, third) = (bias.dims(), third.dims());
        candle_core::bail!("a bias of shape {bias:?} and rows of shape {third:?} do not fit {rows} rows of {width}");
    }
    if bias.dtype() != DType::F32 || third.dtype() != DType::F32 {
        candle_core::bail!("expected a bias and rows in f32");
    }
    run3(Finish { kind, out }, [product, bias, third])
}

impl Kernel<3> for Finish {
    const NAME: &'static str = "finish";

    fn call(&self, [(shape, dtype), (bias, _), _]: [(&Shape, DType); 3]) -> Result<Call> {
        let kernel = format!("finish_{}_{}", dtype.as_str(), self.out.as_str());
        let arguments = vec![
            Argument::Operand(0),
            Argument::Operand(1),
            Argument::optional(2, self.kind == Kind::Add),
            Argument::Int(self.kind as i32),
            Argument::size(bias.elem_count())?,
        ];
        Call::elements(kernel, shape, self.out, arguments)
    }

    fn reference(&self, [product, bias, rows]: [Operand<'_>; 3]) -> Result<Vec<f32>> {
        let (mut out, bias, rows) = (product.floats()?.into_owned(), bias.floats()?, rows.floats()?);
        let width = bias.len().max(1);
        for (number, out) in out.chunks_exact_mut(width).enumerate() {
            out.iter_mut().zip(&*bias).for_each(|(out, bias)| *out += bias);
            match self.kind {
                Kind::Nothing => (),
                Kind::Gelu => gtr_kernels::gelu(out),
                Kind::Silu => gtr_kernels::silu(out),
                Kind::Add => out.iter_mut().zip(&rows[number * width..]).for_each(|(out, row)| *out += row),
            }
        }
        Ok(out)
    }
}
