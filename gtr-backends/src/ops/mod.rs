//! Operations of the models, on either [`ComputePath`].
//!
//! On [`ComputePath::Host`], `gtr-kernels` computes them. On [`ComputePath::Device`], candle computes matrix products
//! and softmax, and [`fused`] kernels the rest: each is one launch on a GPU and needs no upload. The device path also
//! runs on the CPU, where the fused kernels are functions of `gtr-kernels`, so that it can be tested without a GPU.

mod attention;
mod fused;
mod host;
mod rows;

use candle_core::{D, DType, Result, Tensor};

pub(crate) use self::fused::{COLUMNS as STEP_COLUMNS, ReverseStep as FusedStep};
use crate::compute::ComputePath;

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

impl ComputePath {
    /// Type of the rows that a product with weights of type `weight` takes without conversion.
    pub(crate) fn rows_dtype(self, weight: DType) -> DType {
        match self {
            Self::Host => DType::F32,
            Self::Device => weight,
        }
    }

    /// Computes `x W + b` and the fused operation. `x` is `[rows, in]`, `bias` is `[out]` in f32. `weight` may have 16
    /// bits: packed as `[blocks, in, 64]` on the host path (see [`gtr_kernels`]), `[in, out]` on the device path. The
    /// result has the type `out`, which is f32 on the host path.
    ///
    /// On the host path a row of the result does not depend on the other rows.
    pub(crate) fn linear(
        self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        finish: Epilogue<'_>,
        out: DType,
    ) -> Result<Tensor> {
        match self {
            Self::Host => host::linear(x, weight, bias, finish),
            Self::Device => fused::finish(&x.to_dtype(weight.dtype())?.matmul(weight)?, bias, finish, out),
        }
    }

    /// Computes attention of `queries` `[batch * m, width]` over `keys_values` `[batch * n, 2 * width]`, whose rows are
    /// a key followed by a value. Returns `[batch * m, width]` of type `out`, which is f32 on the host path.
    pub(crate) fn attention(
        self,
        queries: &Tensor,
        keys_values: &Tensor,
        batch: usize,
        heads: usize,
        out: DType,
    ) -> Result<Tensor> {
        let shape = attention::Shape::of(queries, keys_values, batch, heads)?;
        match self {
            Self::Host => host::attention(queries, keys_values, shape),
            Self::Device => attention::in_parts(queries, keys_values, shape, attention::LARGEST, out),
        }
    }

    /// Normalises each row (mean 0, variance 1). `affine`, if given, is a scale and a shift `[2, width]`. If
    /// `modulation` is given, each of its rows starts with a shift and a scale: the row is then multiplied by `1 + scale`
    /// and `shift` is added. The result has the type `out`, which is f32 on the host path.
    pub(crate) fn layer_norm(
        self,
        x: &Tensor,
        affine: Option<&Tensor>,
        modulation: Option<&Tensor>,
        eps: f32,
        out: DType,
    ) -> Result<Tensor> {
        match self {
            Self::Host => host::layer_norm(x, affine, modulation, eps),
            Self::Device => fused::layer_norm(x, affine, modulation, eps, out),
        }
    }

    /// Computes `x + gate * y`. `gate` follows shift and scale in each row of `modulation`.
    pub(crate) fn gated_sum(self, x: &Tensor, modulation: &Tensor, y: &Tensor) -> Result<Tensor> {
        match self {
            Self::Host => host::gated_sum(x, modulation, y),
            Self::Device => fused::gated_sum(x, modulation, y),
        }
    }

    /// Computes the sigmoid linear unit (`SiLU`) of `table[index] + rows`. `index` is `[n]` of u32; `rows` is
    /// `[k * n, width]`, and each of its `k` parts takes the same rows of the table.
    pub(crate) fn silu_of_sum(self, table: &Tensor, index: &Tensor, rows: &Tensor) -> Result<Tensor> {
        match self {
            Self::Host => host::silu_of_sum(&table.index_select(index, 0)?, rows),
            Self::Device => fused::silu_of_sum(table, index, rows),
        }
    }
}

/// Divides the last dimension by its root mean square, then multiplies by `scale` `[width]`.
pub(crate) fn rms_norm(x: &Tensor, scale: &Tensor, eps: f32) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?.broadcast_mul(scale)
}

#[cfg(test)]
mod tests;
