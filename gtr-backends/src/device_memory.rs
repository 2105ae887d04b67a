//! Memory of a device, and the end of its work.

use candle_core::Device;
use serde::Serialize;

use crate::BackendError;
use crate::error::Context;

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceMemory {
    /// Memory in use, by all processes.
    pub used: u64,
    /// All memory.
    pub total: u64,
}

/// Returns the memory of a device; `None` for the CPU, and if the driver does not report it. For CUDA it is the answer of
/// `cuMemGetInfo`, so memory in use includes what the pool of this process keeps, and other processes.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::device_memory(&gtr_backends::Device::Cpu), None);
/// ```
pub fn device_memory(device: &Device) -> Option<DeviceMemory> {
    of(device)
}

#[cfg(feature = "cuda")]
fn of(device: &Device) -> Option<DeviceMemory> {
    let (free, total) = device.as_cuda_device().ok()?.cuda_stream().context().mem_get_info().ok()?;
    let [free, total] = [free, total].map(|bytes| u64::try_from(bytes).ok());
    let (free, total) = (free?, total?);
    Some(DeviceMemory { used: total.saturating_sub(free), total })
}

#[cfg(not(feature = "cuda"))]
fn of(_device: &Device) -> Option<DeviceMemory> {
    None
}

/// Waits until a device has done all work. On devices other than the CPU, the calls of a model only queue work.
///
/// # Errors
/// A failure of the device, also of work that was queued earlier.
pub fn synchronize(device: &Device) -> Result<(), BackendError> {
    device.synchronize().context("waiting for the device")
}
