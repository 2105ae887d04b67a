//! Fused kernels as operations of candle.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Layout, Result, Shape, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::launch;
use super::operand::{Operand, stored};
use super::{Call, operand};

/// A fused kernel with `N` operands.
pub(super) trait Kernel<const N: usize> {
    /// Name in messages.
    const NAME: &'static str;

    /// Returns the call of the CUDA kernel for contiguous operands of these shapes and types.
    fn call(&self, operands: [(&Shape, DType); N]) -> Result<Call>;

    /// Computes the values of the result on the CPU.
    fn reference(&self, operands: [Operand<'_>; N]) -> Result<Vec<f32>>;
}

/// Runs a kernel with one operand.
pub(super) fn run1<K: Kernel<1>>(kernel: K, operand: &Tensor) -> Result<Tensor> {
    operand.apply_op1_no_bwd(&Op(kernel))
}

/// Runs a kernel with three operands.
pub(super) fn run3<K: Kernel<3>>(kernel: K, [first, second, third]: [&Tensor; 3]) -> Result<Tensor> {
    first.apply_op3_no_bwd(second, third, &Op(kernel))
}

struct Op<K>(K);

/// An operand on a device.
type On<'a, S> = (&'a S, &'a Layout);

fn on_cpu<K: Kernel<N>, const N: usize>(kernel: &K, operands: [On<'_, CpuStorage>; N]) -> Result<(CpuStorage, Shape)> {
    let call = kernel.call(operands.map(|(storage, layout)| (layout.shape(), operand::dtype(storage))))?;
    let values = kernel.reference(operands.map(|(storage, layout)| Operand { storage, layout }))?;
    Ok((stored(values, call.dtype)?, call.shape))
}

#[cfg(feature = "cuda")]
fn on_cuda<K: Kernel<N>, const N: usize>(
    kernel: &K,
    operands: [On<'_, CudaStorage>; N],
) -> Result<(CudaStorage, Shape)> {
    use candle_core::backend::BackendStorage;

    let call = kernel.call(operands.map(|(storage, layout)| (layout.shape(), storage.dtype())))?;
    Ok((launch(&call, &operands)?, call.shape))
}

impl<K: Kernel<1>> CustomOp1 for Op<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu(&self.0, [(storage, layout)])
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        on_cuda(&self.0, [(storage, layout)])
    }
}

impl<K: Kernel<3>> CustomOp3 for Op<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
        third: &CpuStorage,
        third_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        on_cpu(&self.0, [(first, first_layout), (second, second_layout), (third, third_layout)])
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        first: &CudaStorage,
        first_layout: &Layout,
        second: &CudaStorage,
        second_layout: &Layout,
        third: &CudaStorage,
        third_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_cuda(&self.0, [(first, first_layout), (second, second_layout), (third, third_layout)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::gated_sum::GatedSum;
    use super::super::heads::{Heads, Split};
    use super::*;

    #[test]
    fn operations_have_the_names_of_their_kernels() {
        let split = Split { sizes: Heads { batch: 1, count: 1, parts: 1 }, scale: 1.0 };
        assert_eq!((CustomOp1::name(&Op(split)), CustomOp3::name(&Op(GatedSum))), ("split-heads", "gated-sum"));
    }
}
