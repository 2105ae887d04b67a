//! The numbers of tensors in the memory of the CPU.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, Result, Storage, Tensor};
use gtr_kernels::Weights;

/// The numbers of a contiguous tensor.
pub(crate) struct Numbers<G> {
    /// Keeps others from writing.
    storage: G,
    range: Range<usize>,
}

/// The numbers of a contiguous tensor.
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
            _ => candle_core::bail!("only f32 is computed on the CPU"),
        }
    }

    /// Weights for [`gtr_kernels`], which may have 16 bits.
    pub(crate) fn weights(&self) -> Result<Weights<'_>> {
        let range = self.range.clone();
        Ok(match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => Weights::F32(&numbers[range]),
            Storage::Cpu(CpuStorage::BF16(numbers)) => Weights::Bf16(&numbers[range]),
            Storage::Cpu(CpuStorage::F16(numbers)) => Weights::F16(&numbers[range]),
            _ => candle_core::bail!("weights are f32, bf16 or f16, in the memory of the CPU"),
        })
    }
}
