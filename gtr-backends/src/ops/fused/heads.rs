//! Order of queries, keys and values in attention.

use candle_core::{DType, Result, Shape, Tensor};

use super::{Argument, Call, Kernel, Operand, run1};

/// Sizes of rows whose values are ordered by part, head and depth.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Heads {
    pub(in super::super) batch: usize,
    /// Number of heads.
    pub(in super::super) count: usize,
    /// Number of parts of a row: 1 for queries, 2 for keys and values.
    pub(in super::super) parts: usize,
}

pub(super) struct Split {
    pub(super) sizes: Heads,
    pub(super) scale: f32,
}

pub(super) struct Merge {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) out: DType,
}

/// Orders rows `[batch * n, parts * heads * depth]` as `[parts, batch * heads, n, depth]` and multiplies them by `scale`.
pub(in super::super) fn split_heads(rows: &Tensor, sizes: Heads, scale: f32) -> Result<Tensor> {
    let (count, width) = rows.dims2()?;
    if sizes.batch == 0 || !count.is_multiple_of(sizes.batch) || !width.is_multiple_of(sizes.count * sizes.parts) {
        candle_core::bail!("{count} rows of width {width} do not fit {sizes:?}");
    }
    if rows.dtype() != DType::F32 {
        candle_core::bail!("expected rows of attention in f32");
    }
    run1(Split { sizes, scale }, rows)
}

/// Orders `mixed` `[batch * heads, m, depth]` as rows `[batch * m, heads * depth]` of type `out`.
pub(in super::super) fn merge_heads(mixed: &Tensor, batch: usize, heads: usize, out: DType) -> Result<Tensor> {
    if mixed.dim(0)? != batch * heads || mixed.dtype() != DType::F32 {
        candle_core::bail!("expected {batch} x {heads} heads in f32, found shape {:?}", mixed.dims());
    }
    run1(Merge { batch, heads, out }, mixed)
}

impl Kernel<1> for Split {
    const NAME: &'static str = "split-heads";

    fn call(&self, [(shape, _)]: [(&Shape, DType); 1]) -> Result<Call> {
        let Heads { batch, count: heads, parts } = self.sizes;
        let (n, depth) = (shape.dims()[0] / batch, shape.dims()[1] / (heads * parts));
        let mut arguments = vec![Argument::Operand(0)];
        for size in [parts, batch, heads, n, depth] {
            arguments.push(Argument::size(size)?);
        }
        arguments.push(Argument::Float(self.scale));
        Call::elements("split_heads", &(parts, batch * heads, n, depth).into(), DType::F32, arguments)
    }

    fn reference(&self, [rows]: [Operand<'_>; 1]) -> Result<Vec<f32>> {
        let (values, Heads { batch, count: heads, parts }) = (rows.floats()?, self.sizes);
        let (n, depth) = (rows.dims()[0] / batch, rows.dims()[1] / (heads * parts));
        let mut out = Vec::with_capacity(values.len());
        for place in 0..parts * batch * heads * n {
            let (row, head) = (place % n, place / n % heads);
            let (image, part) = (place / (n * heads) % batch, place / (n * heads * batch));
            let from = (((image * n + row) * parts + part) * heads + head) * depth;
            out.extend(values[from..][..depth].iter().map(|value| value * self.scale));
        }
        Ok(out)
    }
}

impl Kernel<1> for Merge {
    const NAME: &'static str = "merge-heads";

    fn call(&self, [(shape, _)]: [(&Shape, DType); 1]) -> Result<Call> {
        let (_, m, depth) = shape.dims3()?;
        let mut arguments = vec![Argument::Operand(0)];
        for size in [self.heads, m, depth] {
            arguments.push(Argument::size(size)?);
        }
        let kernel = format!("merge_heads_{}", self.out.as_str());
        Call::elements(kernel, &(self.batch * m, self.heads * depth).into(), self.out, arguments)
    }

    fn reference(&self, [mixed]: [Operand<'_>; 1]) -> Result<Vec<f32>> {
        let (values, &Self { batch, heads, .. }) = (mixed.floats()?, self);
        let (m, depth) = (mixed.dims()[1], mixed.dims()[2]);
        let mut out = Vec::with_capacity(values.len());
        for place in 0..batch * m * heads {
            let (head, row, image) = (place % heads, place / heads % m, place / (heads * m));
            out.extend_from_slice(&values[((image * heads + head) * m + row) * depth..][..depth]);
        }
        Ok(out)
    }
}
