//! What a clock asks of the device of a benchmark.

use gtr_backends::{BackendError, Compute, Device, DeviceMemory, device_memory};

/// A device whose work is timed. Work is only queued when a call returns, so a clock must wait for the device before it
/// starts and before it stops.
pub(super) trait Probe {
    /// Waits until the device has done all work.
    fn settle(&mut self) -> Result<(), BackendError>;

    /// Returns true if the first round is not timed: it compiles kernels and fills the memory pool.
    fn warms_up(&self) -> bool;
}

/// The device of a run.
#[derive(Debug)]
pub(super) struct DeviceProbe {
    device: Device,
    memory: Option<DeviceMemory>,
}

impl DeviceProbe {
    pub(super) fn new(compute: &Compute) -> Self {
        Self { device: compute.device().clone(), memory: None }
    }

    /// Returns the largest memory in use at the ends of parts; `None` if the device does not report it.
    pub(super) fn memory(&self) -> Option<DeviceMemory> {
        self.memory
    }
}

impl Probe for DeviceProbe {
    fn settle(&mut self) -> Result<(), BackendError> {
        // Before the device is waited for: the memory pool gives memory back when the device has done all work.
        let now = device_memory(&self.device);
        self.memory = [self.memory, now].into_iter().flatten().max_by_key(|memory| memory.used);
        gtr_backends::synchronize(&self.device)
    }

    fn warms_up(&self) -> bool {
        !self.device.is_cpu()
    }
}
