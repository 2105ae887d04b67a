//! Devices by name.

#[cfg(any(feature = "cuda", test))]
use std::collections::BTreeMap;
#[cfg(any(feature = "cuda", test))]
use std::sync::{Mutex, PoisonError};

use candle_core::{Device, DeviceLocation};

use crate::BackendError;

/// The device that `name` says: `cpu`, `cuda:N` (the N-th NVIDIA device, from 0), or `auto`, which is `cuda:0` where there is
/// one and the CPU elsewhere; [`auto_device`] says why it is the CPU.
///
/// # Errors
/// [`BackendError::Device`] for another name, for a device that is not there, and for `cuda:N` in a build without the
/// `cuda` feature.
///
/// # Examples
/// ```
/// assert!(gtr_backends::device("cpu")?.is_cpu());
/// let error = gtr_backends::device("gpu").unwrap_err();
/// assert_eq!(error.to_string(), "there is no device `gpu`: it is none of cpu, cuda:N and auto");
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn device(name: &str) -> Result<Device, BackendError> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => Ok(auto_device().0),
        _ => {
            let wrong = |reason: String| BackendError::Device { name: name.to_owned(), reason };
            let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| wrong("it is none of cpu, cuda:N and auto".into()))?;
            cuda(number).map_err(wrong)
        }
    }
}

/// The first NVIDIA device; or the CPU, and why it is not an NVIDIA device.
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

/// The name of a device, by which [`device`] finds it: `auto` is one of the others.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::device_name(&gtr_backends::device("cpu")?), "cpu");
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn device_name(device: &Device) -> String {
    match device.location() {
        DeviceLocation::Cpu => "cpu".to_owned(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// The devices that were opened so far, by their numbers. A second opening gets the same device: tensors of two devices do not
/// combine, even if both are the same hardware.
#[cfg(any(feature = "cuda", test))]
struct Opened<D>(Mutex<BTreeMap<usize, D>>);

#[cfg(any(feature = "cuda", test))]
impl<D: Clone> Opened<D> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The device of this number; `open` opens it the first time.
    fn get(&self, number: usize, open: impl FnOnce() -> Result<D, String>) -> Result<D, String> {
        // What is in the map is whole, whatever the thread did that panicked.
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

/// A device whose work runs on one stream. `Device::new_cuda` would give each thread a stream of its own, and nothing orders
/// streams against each other.
#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> Result<Device, String> {
    // The driver's message can be followed by a stack trace, of which a user has nothing.
    let device = Device::new_cuda_with_stream(number).map_err(|error| {
        let text = error.to_string();
        format!("the CUDA driver says {}", text.lines().next().unwrap_or("nothing"))
    })?;
    if let Ok(cuda) = device.as_cuda_device() {
        #[expect(unsafe_code, reason = "events would order streams, of which there is one")]
        // SAFETY: without events, the uses of a tensor on several streams must be ordered by other means. There is one stream:
        // `new_cuda_with_stream` made this device's context object and its only stream, candle launches every kernel, copy,
        // allocation and release of the device on it and creates no other, and its cuBLAS handle is bound to it. Tensors of
        // other devices cannot come in, since candle refuses to combine tensors of two devices. A stream executes in the order
        // of submission, whichever thread submits, so no tensor is used before it is allocated or after it is released, and no
        // two writes overlap. The device holds no tensor yet.
        unsafe {
            cuda.disable_event_tracking();
        }
    }
    Ok(device)
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
            assert_eq!(error, format!("there is no device `{name}`: it is none of cpu, cuda:N and auto"));
        }
    }

    #[test]
    fn auto_is_the_cpu_where_there_is_no_other_device_and_says_why() {
        let (device, reason) = or_cpu(Err("the driver is too old".to_owned()));
        assert_eq!((device_name(&device), reason.as_deref()), ("cpu".to_owned(), Some("the driver is too old")));
        // Any device is better than the CPU, and has no reason.
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
        assert_eq!(error, "there is no device `cuda:0`: this program was built without CUDA (feature `cuda`)");
    }
}
