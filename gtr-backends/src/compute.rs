//! Device and precision of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use candle_core::Device;

use crate::{BackendError, device_name};

/// Precision of the matrices of a model. Everything else is always f32: tokens, noise, reverse diffusion steps,
/// normalisation, attention.
///
/// On the CPU, 16-bit weights are converted to f32 when used, and products accumulate in f32. This halves the memory
/// but is not faster. On other devices both operands of a product have 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits, the usual type of checkpoints.
    #[default]
    F32,
    /// 16 bits, with the range of f32 and 8 bits of precision.
    Bf16,
    /// 16 bits, with 11 bits of precision and a largest value of 65504.
    F16,
}

impl Precision {
    /// All precisions.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| BackendError::UnknownPrecision { name: name.to_owned() })
    }
}

/// Device of a model and precision of its matrices.
///
/// # Examples
/// ```
/// use gtr_backends::{Compute, Device, Precision};
/// let compute = Compute::from(&Device::Cpu).with_precision(Precision::Bf16);
/// let generator = gtr_backends::open("digits", None, compute)?;
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compute {
    device: Device,
    precision: Precision,
}

impl Compute {
    /// Sets the precision.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Precision of the matrices.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

/// Uses f32.
impl From<&Device> for Compute {
    fn from(device: &Device) -> Self {
        Self { device: device.clone(), precision: Precision::F32 }
    }
}

impl From<&Self> for Compute {
    fn from(compute: &Self) -> Self {
        compute.clone()
    }
}

/// Runs a call of a model. On the CPU it runs inside the thread pool of the matrix products, so a product only has to
/// wake the other threads. On other devices it runs on the calling thread, because one thread must submit all work of a
/// device.
pub(crate) fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    submit(off_cpu(device), work)
}

/// In a debug build, checks that one thread submits all work of a device other than the CPU.
pub(crate) fn check_thread(device: &Device) {
    if let Some(name) = off_cpu(device) {
        debug_assert!(is_only_thread(&name), "two threads submit work to {name}");
    }
}

/// Returns the name of a device other than the CPU.
fn off_cpu(device: &Device) -> Option<String> {
    (!device.is_cpu()).then(|| device_name(device))
}

/// Runs work in the thread pool, or on the calling thread if a device is given.
fn submit<R: Send>(device: Option<String>, work: impl FnOnce() -> R + Send) -> R {
    let Some(device) = device else { return rayon::scope(|_| work()) };
    debug_assert!(is_only_thread(&device), "two threads submit work to {device}");
    work()
}

/// Returns true if no other thread has submitted work to a device.
fn is_only_thread(device: &str) -> bool {
    static THREADS: Mutex<BTreeMap<String, ThreadId>> = Mutex::new(BTreeMap::new());
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    *threads.entry(device.to_owned()).or_insert_with(|| thread::current().id()) == thread::current().id()
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Returns the threads that run the calls of a model: encoder, decoder, and both for a batch in one group.
    fn threads(device: Option<&str>) -> Vec<ThreadId> {
        let call = || submit(device.map(str::to_owned), || thread::current().id());
        let mut threads = vec![call(), call()];
        threads.extend([0; 3].par_chunks(3).map(|_| call()).collect::<Vec<_>>());
        threads
    }

    #[test]
    fn work_of_a_device_stays_on_the_calling_thread() {
        let here = thread::current().id();
        assert!(threads(Some("stand-in:0")).iter().all(|thread| *thread == here));
        // Work in the pool runs on other threads, so work of a device must not use it.
        assert!(threads(None).iter().all(|thread| *thread != here));
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_second_thread_is_detected() {
        assert_eq!(threads(Some("stand-in:1")).len(), 3);
        let other = || thread::spawn(|| submit(Some("stand-in:1".to_owned()), || ())).join();
        let panic = other().unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "two threads submit work to stand-in:1");
        // Work of the CPU may come from any thread.
        thread::spawn(|| submit(None, || ())).join().unwrap();
    }
}
