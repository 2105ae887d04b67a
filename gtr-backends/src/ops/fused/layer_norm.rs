//! Layer normalisation with scale, shift and modulation.

use candle_core::{DType, Result, Shape, Tensor};

use super::super::rows;
use super::{Argument, Call, Kernel, Operand, run3};

pub(super) struct LayerNorm {
    /// The second operand is a scale and a shift, otherwise it is ignored.
    pub(super) affine: bool,
    /// The third operand is the modulation, otherwise it is ignored.
    pub(super) modulated: bool,
    pub(super) eps: f32,
    pub(super) out: DType,
}

/// Normalises each row of `x` `[rows, width]`. See [`ComputePath::layer_norm`](crate::compute::ComputePath).
pub(in super::super) fn layer_norm(
    x: &Tensor,
    affine: Option<&Tensor>,
    modulation: Option<&Tensor>,
    eps: f32,
    out: DType,
) -> Result<Tensor> {
    let (count, width) = x.dims2()?;
    if let Some(affine) = affine
        && affine.dims() != [2, width]
    {
        candle_core::bail!("scale and shift of shape {:?} do not fit rows of width {width}", affine.dims());
    }
    if let Some(modulation) = modulation
        && (modulation.dim(0)? != count || modulation.dim(1)? < 2 * width)
    {
        candle_core::bail!("a modulation of shape {:?} does not fit {count} rows of {width}", modulation.dims());
    }
    if [Some(x), affine, modulation].into_iter().flatten().any(|operand| operand.dtype() != DType::F32) {
        candle_core::bail!("expected operands of a normalisation in f32");
    }
    let norm = LayerNorm { affine: affine.is_some(), modulated: modulation.is_some(), eps, out };
    run3(norm, [x, affine.unwrap_or(x), modulation.unwrap_or(x)])
}

impl Kernel<3> for LayerNorm {
    const NAME: &'static str = "layer-norm";

    fn call(&self, [(shape, _), _, (modulation, _)]: [(&Shape, DType); 3]) -> Result<Call> {
        let (rows, width) = shape.dims2()?;
        let arguments = vec![
            Argument::Operand(0),
            Argument::optional(1, self.affine),
            Argument::optional(2, self.modulated),
            Argument::size(width)?,
            Argument::size(modulation.dims()[1])?,
            Argument::Float(self.eps),
        ];
        Call::rows(format!("layer_norm_{}", self.out.as_str()), rows, shape, self.out, arguments)
    }

    fn reference(&self, [x, affine, modulation]: [Operand<'_>; 3]) -> Result<Vec<f32>> {
        let (width, stride) = (x.dims()[1], modulation.dims()[1]);
        let (x, affine, modulation) = (x.floats()?, affine.floats()?, modulation.floats()?);
        let affine = self.affine.then(|| affine.split_at(width));
        let mut out = vec![0.0; x.len()];
        let each = x.chunks_exact(width.max(1)).zip(out.chunks_exact_mut(width.max(1)));
        for (index, (row, out)) in each.enumerate() {
            let modulation = || modulation[index * stride..][..2 * width].split_at(width);
            rows::layer_norm(row, out, affine, self.modulated.then(modulation), self.eps);
        }
        Ok(out)
    }
}
