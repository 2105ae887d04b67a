//! Launches of the CUDA kernels.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, CudaStorage, CudaStorageSlice, WrapErr};
use candle_core::{DType, Layout, Result};
use half::{bf16, f16};

use super::call::THREADS;
use super::{Argument, Call};

/// The kernels of `cuda/kernels.cu`, compiled by the build script.
const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// Runs a kernel on the device of its operands and returns its result.
pub(super) fn launch(call: &Call, operands: &[(&CudaStorage, &Layout)]) -> Result<CudaStorage> {
    let device = operands[0].0.device();
    let out = allocate(device, call.shape.elem_count(), call.dtype)?;
    let result = address(&out, device)?;
    let addresses =
        operands.iter().map(|(storage, layout)| first(storage, layout, device)).collect::<Result<Vec<u64>>>()?;
    let function = device.get_or_load_custom_func(&call.kernel, "gtr", PTX)?;
    let mut builder = function.builder();
    builder.arg(&result);
    for argument in &call.arguments {
        match argument {
            Argument::Operand(number) => builder.arg(&addresses[*number]),
            Argument::Null => builder.arg(&0_u64),
            Argument::Int(int) => builder.arg(int),
            Argument::Long(long) => builder.arg(long),
            Argument::Float(float) => builder.arg(float),
        };
    }
    let config = LaunchConfig { grid_dim: (call.blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
    #[expect(unsafe_code, reason = "a launch takes raw addresses")]
    // SAFETY: The call has the arguments of the kernel in their order and types, and the kernel accesses its operands
    // within their shapes: tests make the same calls of the same source on the CPU. Operands are only read, and the
    // result is new, so no two kernels write the same memory. All work of a device is on one stream (`device.rs`), so
    // the operands are complete before the launch, and their memory is released after it.
    unsafe { builder.launch(config) }.w()?;
    Ok(out)
}

/// Allocates a result.
#[expect(unsafe_code, reason = "the memory is uninitialised until the kernel writes it")]
fn allocate(device: &CudaDevice, elements: usize, dtype: DType) -> Result<CudaStorage> {
    let owner = device.clone();
    // SAFETY: Every kernel writes all elements of its result (the tests see an element that is not written), and the
    // stream runs the kernel before anything that reads them. All bit patterns are values of these types.
    unsafe {
        Ok(match dtype {
            DType::F32 => CudaStorage::wrap_cuda_slice(device.alloc::<f32>(elements)?, owner),
            DType::BF16 => CudaStorage::wrap_cuda_slice(device.alloc::<bf16>(elements)?, owner),
            DType::F16 => CudaStorage::wrap_cuda_slice(device.alloc::<f16>(elements)?, owner),
            _ => candle_core::bail!("expected the type f32, bf16 or f16, found {dtype:?}"),
        })
    }
}

/// Returns the address of the first element of an operand.
fn first(storage: &CudaStorage, layout: &Layout, device: &CudaDevice) -> Result<u64> {
    let Some((start, _)) = layout.contiguous_offsets() else {
        candle_core::bail!("the operand of a fused kernel must be contiguous");
    };
    Ok(address(storage, device)? + (start * storage.dtype().size_in_bytes()) as u64)
}

/// Returns the address of a memory. Event tracking is off, so nothing is recorded for other streams.
fn address(storage: &CudaStorage, device: &CudaDevice) -> Result<u64> {
    let stream = device.cuda_stream();
    Ok(match &storage.slice {
        CudaStorageSlice::F32(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::BF16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::F16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::U32(slice) => slice.device_ptr(&stream).0,
        _ => candle_core::bail!("expected f32, bf16, f16 or u32 values"),
    })
}

/// These tests need a device: a GPU, or the stand-in driver of `scripts/cuda/driver`.
#[cfg(test)]
mod tests {
    use candle_core::{Device, Storage, Tensor};

    use super::*;

    /// Checks that a launch fails with this message. A backtrace may follow it.
    fn refused<T>(result: Result<T>, message: &str) {
        let error = result.err().expect("an operand that does not fit is accepted").to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        let _alone = crate::device::alone();
        let device = crate::device("cuda:0").unwrap();
        let Device::Cuda(cuda) = &device else { panic!("expected a CUDA device") };
        refused(allocate(cuda, 4, DType::U8), "expected the type f32, bf16 or f16, found U8");
        let bytes = Tensor::zeros((2, 3), DType::U8, &device).unwrap();
        let (storage, layout) = bytes.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { panic!("expected memory of the device") };
        refused(first(storage, layout, cuda), "expected f32, bf16, f16 or u32 values");
        let turned = layout.transpose(0, 1).unwrap();
        refused(first(storage, &turned, cuda), "the operand of a fused kernel must be contiguous");
    }
}
