//! Devices by name.

use candle_core::{Device, DeviceLocation};

use crate::BackendError;

/// The device that `name` says: `cpu`, `cuda:N` (the N-th NVIDIA device, from 0), or `auto`, which is `cuda:0` where there is
/// one and the CPU elsewhere.
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
        "auto" => Ok(cuda(0).unwrap_or(Device::Cpu)),
        _ => {
            let wrong = |reason: String| BackendError::Device { name: name.to_owned(), reason };
            let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| wrong("it is none of cpu, cuda:N and auto".into()))?;
            cuda(number).map_err(wrong)
        }
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

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Device, String> {
    // The driver's message can be followed by a stack trace, of which a user has nothing.
    Device::new_cuda(number).map_err(|error| {
        let text = error.to_string();
        format!("the CUDA driver says {}", text.lines().next().unwrap_or("nothing"))
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_number: usize) -> Result<Device, String> {
    Err("this program was built without CUDA (feature `cuda`)".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "CPU", "cuda", "cuda:", "cuda:-1", "cuda:x", "metal:0"] {
            let error = device(name).unwrap_err().to_string();
            assert_eq!(error, format!("there is no device `{name}`: it is none of cpu, cuda:N and auto"));
        }
    }

    #[test]
    fn auto_is_always_a_device() {
        assert!(device("auto").is_ok());
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn without_the_feature_cuda_is_refused_in_one_line() {
        let error = device("cuda:0").unwrap_err().to_string();
        assert_eq!(error, "there is no device `cuda:0`: this program was built without CUDA (feature `cuda`)");
    }
}
