//! Matrix products.
//!
//! On the CPU they go straight to the `gemm` crate, as candle's do, for three reasons: candle asks the operating system for
//! its number of cores at every product, which costs more than a small product itself; a bias can be what the sum starts
//! from; and a product can be cut into tiles of rows without copying them.

#![expect(clippy::many_single_char_names, reason = "matrices and their sides have the names of the formula")]

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor};
use gemm::Parallelism;

use crate::rows::{contiguous, values};

/// `x W + b`, for `x` `[rows, in]`, `weight` `[in, out]` and `bias` `[out]`; with `tile`, in tiles of that many rows, which
/// `rows` is a multiple of. `x` and `bias` are f32, and so is the result; `weight` may have 16 bits.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, tile: Option<usize>) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op3_no_bwd(weight, bias, &Affine { tile });
    }
    let product = x.to_dtype(weight.dtype())?.matmul(weight)?;
    product.to_dtype(DType::F32)?.broadcast_add(bias)
}

/// The products of each pair of `a` `[pairs, m, k]` and `b` `[pairs, k, n]`.
pub(crate) fn pairwise(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.device().is_cpu() { a.apply_op2_no_bwd(b, &Pairwise) } else { a.matmul(b) }
}

/// A matrix in a slice, inside of which all of its elements lie.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    fn new(values: &'a [f32], [rows, columns]: [usize; 2], [row_stride, column_stride]: [usize; 2]) -> Result<Self> {
        let last = rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * column_stride;
        if rows > 0 && columns > 0 && last >= values.len() {
            candle_core::bail!("a matrix of {rows} x {columns} does not lie within {} values", values.len());
        }
        Ok(Self { values, rows, columns, row_stride, column_stride })
    }
}

/// Writes `a b`, or adds it where `add` says so, to `out`, which is row-major.
#[expect(clippy::cast_possible_wrap, reason = "a stride within a slice is far below isize::MAX")]
#[expect(unsafe_code, reason = "gemm takes pointers")]
fn multiply(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], add: bool, parallelism: Parallelism) {
    assert_eq!(a.columns, b.rows, "the inner sides of a product");
    assert_eq!(out.len(), a.rows * b.columns, "the sides of a product");
    let (m, n, k) = (a.rows, b.columns, a.columns);
    // SAFETY: gemm reads a[i, j] for i < m, j < k and b[i, j] for i < k, j < n, at the given strides: `Matrix::new` has
    // checked that the last of them, and with it all others (strides are not negative), lie within their slices. It writes,
    // and with `add` reads, out[i, j] at i n + j for i < m, j < n, and `out` has m n elements, as asserted. `out` is borrowed
    // mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

struct Affine {
    tile: Option<usize>,
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        let (height, outputs) = weight_layout.shape().dims2()?;
        let (x, bias) = (values(x, layout)?, values(bias, bias_layout)?);
        let tile = self.tile.unwrap_or(rows).max(1);
        if height != inputs || bias.len() != outputs || !rows.is_multiple_of(tile) {
            candle_core::bail!("{rows} rows of {inputs} do not fit weights of {height} x {outputs}, tiles of {tile}");
        }
        let mut out = Vec::with_capacity(rows * outputs);
        for _ in 0..rows {
            out.extend_from_slice(bias);
        }
        // Tiles are too small to be shared between threads; whole products are shared by gemm itself where that pays.
        let parallelism = if self.tile.is_some() { Parallelism::None } else { Parallelism::Rayon(0) };
        // Adds what some of the inputs, `first` and those after it, contribute.
        let mut add = |first: usize, weight: &[f32]| -> Result<()> {
            let part = weight.len() / outputs.max(1);
            let weight = Matrix::new(weight, [part, outputs], [outputs, 1])?;
            for (x, out) in x.chunks(tile * inputs).zip(out.chunks_mut(tile * outputs)) {
                multiply(Matrix::new(&x[first..], [tile, part], [inputs, 1])?, weight, out, true, parallelism);
            }
            Ok(())
        };
        match weight {
            // Tiles share what is in the cache. How many there are must not show, so a single one goes the same way.
            CpuStorage::F32(_) if self.tile.is_some() => {
                let weight = values(weight, weight_layout)?;
                let part = (PANEL / outputs.max(1)).max(1);
                for (number, panel) in weight.chunks((part * outputs).max(1)).enumerate() {
                    add(number * part, panel)?;
                }
            }
            CpuStorage::F32(_) => add(0, values(weight, weight_layout)?)?,
            CpuStorage::BF16(weight) => by_panels(contiguous(weight, weight_layout)?, outputs, add)?,
            CpuStorage::F16(weight) => by_panels(contiguous(weight, weight_layout)?, outputs, add)?,
            _ => candle_core::bail!("weights are f32, bf16 or f16"),
        }
        Ok((CpuStorage::F32(out), Shape::from((rows, outputs))))
    }
}

/// 16-bit numbers are widened this many at a time: a panel stays in the cache until it is used.
const PANEL: usize = 1 << 16;

/// Widens weights of `outputs` columns some rows at a time, and calls `add` with the first row and the values.
fn by_panels<T: Copy + Into<f32>>(
    weight: &[T],
    outputs: usize,
    mut add: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let rows = (PANEL / outputs.max(1)).max(1);
    let mut panel = Vec::with_capacity(rows * outputs);
    for (number, values) in weight.chunks((rows * outputs).max(1)).enumerate() {
        panel.clear();
        panel.extend(values.iter().map(|&value| value.into()));
        add(number * rows, &panel)?;
    }
    Ok(())
}

struct Pairwise;

impl CustomOp2 for Pairwise {
    fn name(&self) -> &'static str {
        "pairwise-product"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((pairs, m, k), (others, inner, n)) = (a_layout.shape().dims3()?, b_layout.shape().dims3()?);
        if pairs != others || k != inner {
            candle_core::bail!("{pairs} matrices of {m} x {k} do not fit {others} of {inner} x {n}");
        }
        let (a, b) = (a.as_slice::<f32>()?, b.as_slice::<f32>()?);
        let mut out = vec![0.0; pairs * m * n];
        for (pair, out) in out.chunks_exact_mut((m * n).max(1)).enumerate() {
            let operand = |layout: &Layout| {
                let stride = layout.stride();
                (layout.start_offset() + pair * stride[0], [stride[1], stride[2]])
            };
            let ((a_start, a_strides), (b_start, b_strides)) = (operand(a_layout), operand(b_layout));
            let a = Matrix::new(a.get(a_start..).unwrap_or_default(), [m, k], a_strides)?;
            let b = Matrix::new(b.get(b_start..).unwrap_or_default(), [k, n], b_strides)?;
            multiply(a, b, out, false, Parallelism::Rayon(0));
        }
        Ok((CpuStorage::F32(out), Shape::from((pairs, m, n))))
    }
}
