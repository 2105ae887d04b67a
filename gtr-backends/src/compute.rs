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

/// How the operations of a model are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComputePath {
    /// By `gtr-kernels`, on the CPU only. The bits of a row do not depend on the other rows.
    Host,
    /// As on devices other than the CPU: by candle and by fused kernels. On the CPU, this is slower; it exists for tests.
    Device,
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
    path: ComputePath,
    graphs: bool,
}

impl Compute {
    /// Sets the precision.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Replaces f16 by bf16, for models whose values exceed the range of f16.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::{Compute, Device, Precision};
    /// let compute = Compute::from(&Device::Cpu).with_precision(Precision::F16);
    /// assert_eq!(compute.without_f16().precision(), Precision::Bf16);
    /// ```
    #[must_use]
    pub fn without_f16(self) -> Self {
        match self.precision {
            Precision::F16 => self.with_precision(Precision::Bf16),
            Precision::F32 | Precision::Bf16 => self,
        }
    }

    /// Computes as on devices other than the CPU, on any device.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::{Compute, ComputePath, Device};
    /// let compute = Compute::from(&Device::Cpu);
    /// assert_eq!(compute.path(), ComputePath::Host);
    /// assert_eq!(compute.through_device_path().path(), ComputePath::Device);
    /// ```
    #[must_use]
    pub fn through_device_path(self) -> Self {
        Self { path: ComputePath::Device, ..self }
    }

    /// Records the diffusion head as CUDA graphs: in an AR step, the first evaluation of the same rows runs directly and is
    /// then recorded, and each of the others is a graph and two copies in place of about a hundred launches. Fewer than
    /// four evaluations are not recorded. On the device path of the CPU, the same work is called again, with the same
    /// bits. Ignored on the host path.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::{Compute, Device};
    /// let compute = Compute::from(&Device::Cpu).through_device_path().with_graphs();
    /// assert!(compute.uses_graphs());
    /// ```
    #[must_use]
    pub fn with_graphs(self) -> Self {
        Self { graphs: true, ..self }
    }

    /// Returns true after [`Compute::with_graphs`].
    pub fn uses_graphs(&self) -> bool {
        self.graphs
    }

    /// How operations are computed: on the CPU on the host path, unless [`Compute::through_device_path`] was called.
    pub fn path(&self) -> ComputePath {
        self.path
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
        let path = if device.is_cpu() { ComputePath::Host } else { ComputePath::Device };
        Self { device: device.clone(), precision: Precision::F32, path, graphs: false }
    }
}

impl From<&Self> for Compute {
    fn from(compute: &Self) -> Self {
        compute.clone()
    }
}

/// Runs a call of a model. On the host path it runs inside the thread pool of the matrix products, so a product only has
/// to wake the other threads. On the device path it runs on the calling thread, because one thread must submit all work
/// of a device.
pub(crate) fn run_call<R: Send>(compute: &Compute, work: impl FnOnce() -> R + Send) -> R {
    if compute.path == ComputePath::Host {
        return rayon::scope(|_| work());
    }
    choose_products(compute.precision);
    submit(off_cpu(&compute.device), work)
}

/// Products of f32 matrices on a GPU use TF32 in a run with a 16-bit precision, and exact f32 otherwise.
#[cfg(feature = "cuda")]
fn choose_products(precision: Precision) {
    candle_core::cuda_backend::set_gemm_reduced_precision_f32(precision != Precision::F32);
}

#[cfg(not(feature = "cuda"))]
fn choose_products(_precision: Precision) {}

/// Returns the name of a device other than the CPU.
fn off_cpu(device: &Device) -> Option<String> {
    (!device.is_cpu()).then(|| device_name(device))
}

/// Runs work on the calling thread. In a debug build, checks that one thread submits all work of a device other than the
/// CPU.
fn submit<R>(device: Option<String>, work: impl FnOnce() -> R) -> R {
    if let Some(device) = device {
        debug_assert!(is_only_thread(&device), "two threads submit work to {device}");
    }
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
    fn threads(device: &str) -> Vec<ThreadId> {
        threads_of(|| submit(Some(device.to_owned()), || thread::current().id()))
    }

    fn threads_of(call: impl Fn() -> ThreadId + Sync) -> Vec<ThreadId> {
        let mut threads = vec![call(), call()];
        threads.extend([0; 3].par_chunks(3).map(|_| call()).collect::<Vec<_>>());
        threads
    }

    #[test]
    fn work_of_a_device_stays_on_the_calling_thread() {
        let here = thread::current().id();
        assert!(threads("stand-in:0").iter().all(|thread| *thread == here));
        // Work in the pool runs on other threads, so work of a device must not use it.
        let host = Compute::from(&Device::Cpu);
        let of = |compute: &Compute| threads_of(|| run_call(compute, || thread::current().id()));
        assert!(of(&host).iter().all(|thread| *thread != here));
        assert!(of(&host.through_device_path()).iter().all(|thread| *thread == here));
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_second_thread_is_detected() {
        assert_eq!(threads("stand-in:1").len(), 3);
        let other = || thread::spawn(|| submit(Some("stand-in:1".to_owned()), || ())).join();
        let panic = other().unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "two threads submit work to stand-in:1");
        // Work of the CPU may come from any thread.
        thread::spawn(|| submit(None, || ())).join().unwrap();
    }
}
