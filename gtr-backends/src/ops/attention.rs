//! Attention on the device path.

use candle_core::{DType, Result, Tensor};

use super::fused;

/// Largest number of scores that are computed at once. candle's softmax counts scores in 32 bits, and the scores need
/// memory twice: this is 4 GiB.
pub(super) const LARGEST: usize = 1 << 29;

/// Sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) batch: usize,
    pub(super) heads: usize,
    /// Width of a head.
    pub(super) depth: usize,
    /// Number of queries of a sequence.
    queries: usize,
    /// Number of keys of a sequence.
    keys: usize,
}

impl Shape {
    /// Checks the sizes of `queries` and `keys_values`.
    pub(super) fn of(queries: &Tensor, keys_values: &Tensor, batch: usize, heads: usize) -> Result<Self> {
        let ((asking, width), (looked_at, both)) = (queries.dims2()?, keys_values.dims2()?);
        let fits = heads > 0 && batch > 0 && width.is_multiple_of(heads) && both == 2 * width;
        if !fits || !asking.is_multiple_of(batch) || !looked_at.is_multiple_of(batch) || looked_at == 0 {
            candle_core::bail!(
                "{asking} queries of width {width} do not fit {looked_at} keys and values of width {both}"
            );
        }
        Ok(Self { batch, heads, depth: width / heads, queries: asking / batch, keys: looked_at / batch })
    }
}

/// Computes attention in parts of at most `largest` scores.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "heads are narrower than 2^24")]
pub(super) fn in_parts(
    queries: &Tensor,
    keys_values: &Tensor,
    shape: Shape,
    largest: usize,
    out: DType,
) -> Result<Tensor> {
    let Shape { batch, heads, depth, queries: m, keys: n } = shape;
    let (all, scores) = (batch * heads, m * n);
    if scores > largest {
        candle_core::bail!("attention of {m} queries over {n} keys: expected at most {largest} scores per head");
    }
    let scale = (depth as f64).powf(-0.5) as f32;
    let query = fused::split_heads(queries, fused::Heads { batch, count: heads, parts: 1 }, scale)?; // (1, all, m, depth)
    let keys_values = fused::split_heads(keys_values, fused::Heads { batch, count: heads, parts: 2 }, 1.0)?; // (2, all, n, depth)
    let (query, keys, values) = (query.get(0)?, keys_values.get(0)?, keys_values.get(1)?);
    let together = (largest / scores.max(1)).clamp(1, all);
    let part = |first: usize| {
        let part = |tensor: &Tensor| tensor.narrow(0, first, together.min(all - first));
        let scores = part(&query)?.matmul(&part(&keys)?.t()?)?; // (part, m, n)
        candle_nn::ops::softmax_last_dim(&scores)?.matmul(&part(&values)?)
    };
    let mixed = (0..all).step_by(together).map(part).collect::<Result<Vec<_>>>()?;
    let mixed = if let [whole] = mixed.as_slice() { whole.clone() } else { Tensor::cat(&mixed, 0)? };
    fused::merge_heads(&mixed, batch, heads, out)
}
