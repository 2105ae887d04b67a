//! Access to the values of tensors in CPU memory.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, Result, Storage, Tensor};
use gtr_kernels::Weights;

/// Values of a contiguous tensor.
pub(crate) struct Numbers<G> {
    /// Guard that prevents writes.
    storage: G,
    range: Range<usize>,
}

/// Returns the values of a contiguous tensor.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Numbers<impl Deref<Target = Storage>>> {
    let (storage, layout) = tensor.storage_and_layout();
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(Numbers { storage, range: start..end }),
        None => candle_core::bail!("the operand must be contiguous"),
    }
}

impl<G: Deref<Target = Storage>> Numbers<G> {
    pub(crate) fn f32(&self) -> Result<&[f32]> {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => Ok(&numbers[self.range.clone()]),
            _ => candle_core::bail!("expected an f32 tensor on the CPU"),
        }
    }

    /// Returns weights for [`gtr_kernels`], in f32, bf16 or f16.
    pub(crate) fn weights(&self) -> Result<Weights<'_>> {
        let range = self.range.clone();
        Ok(match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => Weights::F32(&numbers[range]),
            Storage::Cpu(CpuStorage::BF16(numbers)) => Weights::Bf16(&numbers[range]),
            Storage::Cpu(CpuStorage::F16(numbers)) => Weights::F16(&numbers[range]),
            _ => candle_core::bail!("expected f32, bf16 or f16 weights on the CPU"),
        })
    }
}
