//! Calls of CUDA kernels.

use candle_core::{DType, Result, Shape};

/// Threads of a block: `THREADS` of `cuda/common.cuh`.
pub(super) const THREADS: u32 = 128;

/// Argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    /// Address of the operand with this number.
    Operand(usize),
    /// The null pointer.
    Null,
    Int(i32),
    Long(i64),
    Float(f32),
}

impl Argument {
    /// A size.
    pub(super) fn size(size: usize) -> Result<Self> {
        match i32::try_from(size) {
            Ok(size) => Ok(Self::Int(size)),
            Err(_) => candle_core::bail!("a size of {size} does not fit into 31 bits"),
        }
    }

    /// The operand with this number if `given`, otherwise the null pointer.
    pub(super) fn optional(number: usize, given: bool) -> Self {
        if given { Self::Operand(number) } else { Self::Null }
    }
}

/// Call of a kernel, which writes a new result. Its first argument is the result.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) kernel: String,
    pub(super) arguments: Vec<Argument>,
    /// Number of blocks of 128 threads.
    pub(super) blocks: u32,
    pub(super) shape: Shape,
    pub(super) dtype: DType,
}

impl Call {
    /// A call with one block per row.
    pub(super) fn rows(
        kernel: impl Into<String>,
        rows: usize,
        shape: &Shape,
        dtype: DType,
        arguments: Vec<Argument>,
    ) -> Result<Self> {
        let kernel = kernel.into();
        let Ok(blocks) = u32::try_from(rows) else { candle_core::bail!("`{kernel}` has too many blocks: {rows}") };
        Ok(Self { kernel, arguments, blocks, shape: shape.clone(), dtype })
    }

    /// A call with one thread per element of the result. Their number is the last argument.
    pub(super) fn elements(
        kernel: impl Into<String>,
        shape: &Shape,
        dtype: DType,
        mut arguments: Vec<Argument>,
    ) -> Result<Self> {
        let elements = shape.elem_count();
        arguments.push(Argument::Long(i64::try_from(elements).unwrap_or(i64::MAX)));
        Self::rows(kernel, elements.div_ceil(THREADS as usize), shape, dtype, arguments)
    }
}
