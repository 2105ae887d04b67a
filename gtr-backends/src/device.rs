//! Devices by name.

#[cfg(any(feature = "cuda", test))]
use std::collections::BTreeMap;
#[cfg(any(feature = "cuda", test))]
use std::sync::{Mutex, PoisonError};

use candle_core::{Device, DeviceLocation};

use crate::BackendError;

/// Opens a device by name: `cpu`, `cuda:N` (NVIDIA device `N`, counted from 0), or `auto`, which is `cuda:0` if
/// available and else the CPU. [`auto_device`] also returns the reason for the CPU.
///
/// # Errors
/// [`BackendError::UnknownDevice`] for another name; [`BackendError::Device`] for a device that does not exist, and for
/// `cuda:N` in a build without the `cuda` feature.
///
/// # Examples
/// ```
/// assert!(gtr_backends::device("cpu")?.is_cpu());
/// let error = gtr_backends::device("gpu").unwrap_err();
/// assert_eq!(error.to_string(), "expected cpu, cuda:N or auto, found `gpu`");
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn device(name: &str) -> Result<Device, BackendError> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => Ok(auto_device().0),
        _ => {
            let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| BackendError::UnknownDevice { name: name.to_owned() })?;
            cuda(number).map_err(|reason| BackendError::Device { name: name.to_owned(), reason })
        }
    }
}

/// Returns the first NVIDIA device, or the CPU and the reason why no NVIDIA device is used.
///
/// # Examples
/// ```
/// let (device, reason) = gtr_backends::auto_device();
/// assert_eq!(device.is_cpu(), reason.is_some());
/// ```
pub fn auto_device() -> (Device, Option<String>) {
    or_cpu(cuda(0))
}

fn or_cpu(cuda: Result<Device, String>) -> (Device, Option<String>) {
    match cuda {
        Ok(device) => (device, None),
        Err(reason) => (Device::Cpu, Some(reason)),
    }
}

/// Returns the name of a device: `cpu` or `cuda:N`, never `auto`. [`device`] accepts it.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::device_name(&gtr_backends::device("cpu")?), "cpu");
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn device_name(device: &Device) -> String {
    name_of(device.location())
}

fn name_of(location: DeviceLocation) -> String {
    match location {
        DeviceLocation::Cpu => "cpu".to_owned(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// Returns the kind of a device: `cpu`, `cuda` or `metal`. The number of a device is only its place in one machine.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::device_kind(&gtr_backends::Device::Cpu), "cpu");
/// ```
pub fn device_kind(device: &Device) -> &'static str {
    kind_of(device.location())
}

fn kind_of(location: DeviceLocation) -> &'static str {
    match location {
        DeviceLocation::Cpu => "cpu",
        DeviceLocation::Cuda { .. } => "cuda",
        DeviceLocation::Metal { .. } => "metal",
    }
}

/// Open devices by number. Opening a device again returns the same one, because tensors of two devices cannot be
/// combined, even on the same hardware.
#[cfg(any(feature = "cuda", test))]
struct Opened<D>(Mutex<BTreeMap<usize, D>>);

#[cfg(any(feature = "cuda", test))]
impl<D: Clone> Opened<D> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Returns the device of this number; calls `open` the first time.
    fn get(&self, number: usize, open: impl FnOnce() -> Result<D, String>) -> Result<D, String> {
        // The map is consistent even if another thread panicked.
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = devices.get(&number) {
            return Ok(device.clone());
        }
        let device = open()?;
        devices.insert(number, device.clone());
        Ok(device)
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Device, String> {
    static OPENED: Opened<Device> = Opened::new();
    OPENED.get(number, || open_cuda(number))
}

/// Opens a device that runs all work on one stream. `Device::new_cuda` would create one stream per thread, and streams
/// are not synchronised with each other.
#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> Result<Device, String> {
    // The message of the driver can contain a stack trace, which does not help users.
    let device = Device::new_cuda_with_stream(number).map_err(|error| {
        let text = error.to_string();
        format!("CUDA driver: {}", text.lines().next().unwrap_or("unknown error"))
    })?;
    let cuda = device.as_cuda_device().map_err(|error| error.to_string())?;
    #[expect(unsafe_code, reason = "events synchronise streams, and there is only one")]
    // SAFETY: without events, the uses of a tensor on several streams must be ordered by other means. There is one stream:
    // `new_cuda_with_stream` made this device's context object and its only stream, candle launches every kernel,
    // copy, allocation and release of the device on it and creates no other, and its cuBLAS handle is bound to it.
    // Tensors of other devices are never used on it, because candle refuses to combine tensors of two devices. A
    // stream executes in the order of submission, from any thread, so no tensor is used before it is allocated or
    // after it is released, and no two writes overlap. The device has no tensors yet.
    unsafe {
        cuda.disable_event_tracking();
    }
    Ok(device)
}

/// Tests that submit work to a device hold this, because one thread must submit all work of a device.
#[cfg(all(test, feature = "cuda"))]
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(feature = "cuda"))]
fn cuda(_number: usize) -> Result<Device, String> {
    Err("this program was built without CUDA (feature `cuda`)".into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "CPU", "cuda", "cuda:", "cuda:-1", "cuda:x", "metal:0"] {
            let error = device(name).unwrap_err().to_string();
            assert_eq!(error, format!("expected cpu, cuda:N or auto, found `{name}`"));
        }
    }

    #[test]
    fn names_have_the_kind_and_the_number() {
        let locations = [DeviceLocation::Cuda { gpu_id: 2 }, DeviceLocation::Metal { gpu_id: 0 }, DeviceLocation::Cpu];
        assert_eq!(locations.map(name_of), ["cuda:2", "metal:0", "cpu"]);
        assert_eq!(locations.map(kind_of), ["cuda", "metal", "cpu"]);
    }

    #[test]
    fn auto_is_the_cpu_without_another_device_and_returns_the_reason() {
        let (device, reason) = or_cpu(Err("the driver is too old".to_owned()));
        assert_eq!((device_name(&device), reason.as_deref()), ("cpu".to_owned(), Some("the driver is too old")));
        // If a device opens, there is no reason.
        assert_eq!(or_cpu(Ok(Device::Cpu)).1, None);
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn auto_is_the_cpu_without_the_feature() {
        assert_eq!(device_name(&device("auto").unwrap()), "cpu");
        assert_eq!(auto_device().1.unwrap(), "this program was built without CUDA (feature `cuda`)");
    }

    #[test]
    fn a_device_is_opened_once() {
        let opened = Opened::new();
        let times = Cell::new(0);
        let open = |number: usize| {
            opened.get(number, || {
                times.set(times.get() + 1);
                if number > 1 { Err("no such device".to_owned()) } else { Ok(Rc::new(number)) }
            })
        };
        let first = open(0).unwrap();
        assert!(Rc::ptr_eq(&first, &open(0).unwrap()));
        assert!(!Rc::ptr_eq(&first, &open(1).unwrap()));
        assert_eq!(times.get(), 2);
        // A failure is not kept.
        assert!(open(2).is_err() && open(2).is_err());
        assert_eq!(times.get(), 4);
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn without_the_feature_cuda_is_refused_in_one_line() {
        let error = device("cuda:0").unwrap_err().to_string();
        assert_eq!(error, "device `cuda:0` is not available: this program was built without CUDA (feature `cuda`)");
    }
}
