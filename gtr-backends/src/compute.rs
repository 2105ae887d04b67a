//! Where a model computes, and in which type.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use candle_core::Device;

use crate::{BackendError, device_name};

/// The type of the matrices of a model. Everything else is f32 in any case: tokens, noise, the steps back, normalisation,
/// attention.
///
/// On the CPU a matrix of 16-bit numbers is widened as it is used, and products are sums of f32: half the memory, not more
/// speed. On other devices both sides of its products are 16-bit numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits, as checkpoints hold them.
    #[default]
    F32,
    /// 16 bits with the range of f32 and 8 bits of precision.
    Bf16,
    /// 16 bits with 11 bits of precision, up to 65504.
    F16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// What it is called.
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

/// Where a model computes, and in which type its matrices are.
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
    /// The same place with another type.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Where.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// In which type.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

/// In f32.
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

/// Does some work of a model. On the CPU it runs on one of the threads that share products, so that each product wakes up the
/// others only. On other devices it runs on the calling thread: all work of a device is submitted by one thread.
pub(crate) fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    submit(off_cpu(device), work)
}

/// In a debug build, checks that one thread submits all work of a device other than the CPU.
pub(crate) fn check_thread(device: &Device) {
    if let Some(name) = off_cpu(device) {
        debug_assert!(is_only_thread(&name), "{name} gets work from two threads");
    }
}

/// The name of a device that is not the CPU.
fn off_cpu(device: &Device) -> Option<String> {
    (!device.is_cpu()).then(|| device_name(device))
}

/// Runs work in the pool, or on the calling thread for a device that is named.
fn submit<R: Send>(device: Option<String>, work: impl FnOnce() -> R + Send) -> R {
    let Some(device) = device else { return rayon::scope(|_| work()) };
    debug_assert!(is_only_thread(&device), "{device} gets work from two threads");
    work()
}

/// Whether no other thread submitted work to a device before.
fn is_only_thread(device: &str) -> bool {
    static THREADS: Mutex<BTreeMap<String, ThreadId>> = Mutex::new(BTreeMap::new());
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    *threads.entry(device.to_owned()).or_insert_with(|| thread::current().id()) == thread::current().id()
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// The threads on which the calls of a model run: encoder, decoder, and both for a batch as one group.
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
        // In the pool it does not, which is why a device must not take that way.
        assert!(threads(None).iter().all(|thread| *thread != here));
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_second_thread_is_noticed() {
        assert_eq!(threads(Some("stand-in:1")).len(), 3);
        let other = || thread::spawn(|| submit(Some("stand-in:1".to_owned()), || ())).join();
        let panic = other().unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "stand-in:1 gets work from two threads");
        // The pool may do work of the CPU from any thread.
        thread::spawn(|| submit(None, || ())).join().unwrap();
    }
}
