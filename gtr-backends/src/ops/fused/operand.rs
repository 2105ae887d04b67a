//! Operands of fused kernels on the CPU.

use std::borrow::Cow;
use std::ops::Range;

use candle_core::{CpuStorage, DType, Layout, Result};
use half::{bf16, f16};

/// An operand in the memory of the CPU.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) storage: &'a CpuStorage,
    pub(super) layout: &'a Layout,
}

impl<'a> Operand<'a> {
    /// Dimensions.
    pub(super) fn dims(self) -> &'a [usize] {
        self.layout.dims()
    }

    /// Returns the values of a contiguous operand, converted to f32.
    pub(super) fn floats(self) -> Result<Cow<'a, [f32]>> {
        let range = self.range()?;
        match self.storage {
            CpuStorage::F32(values) => Ok(Cow::Borrowed(&values[range])),
            CpuStorage::BF16(values) => Ok(values[range].iter().map(|value| value.to_f32()).collect()),
            CpuStorage::F16(values) => Ok(values[range].iter().map(|value| value.to_f32()).collect()),
            _ => candle_core::bail!("expected f32, bf16 or f16 values"),
        }
    }

    /// Returns the values of a contiguous index.
    pub(super) fn index(self) -> Result<&'a [u32]> {
        match self.storage {
            CpuStorage::U32(values) => Ok(&values[self.range()?]),
            _ => candle_core::bail!("expected an index of u32"),
        }
    }

    fn range(self) -> Result<Range<usize>> {
        match self.layout.contiguous_offsets() {
            Some((start, end)) => Ok(start..end),
            None => candle_core::bail!("the operand of a fused kernel must be contiguous"),
        }
    }
}

/// Converts a result to its type.
pub(super) fn stored(values: Vec<f32>, dtype: DType) -> Result<CpuStorage> {
    Ok(match dtype {
        DType::F32 => CpuStorage::F32(values),
        DType::BF16 => CpuStorage::BF16(values.into_iter().map(bf16::from_f32).collect()),
        DType::F16 => CpuStorage::F16(values.into_iter().map(f16::from_f32).collect()),
        _ => candle_core::bail!("expected the type f32, bf16 or f16, found {dtype:?}"),
    })
}

/// Type of the values.
pub(super) fn dtype(storage: &CpuStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}
