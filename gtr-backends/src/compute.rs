//! Where a model computes, and in which type.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

use crate::BackendError;

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
            .ok_or_else(|| BackendError::Request(format!("there is no type `{name}`: it is none of f32, bf16 and f16")))
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

/// Does some work on one of the threads that share products, so that each product wakes up the others only.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}
