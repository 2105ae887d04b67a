//! Numeric types of a plan, each with a checked range.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Error for a number outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} must be {expected}, not {found}")]
pub struct OutOfRange {
    /// Description of the quantity.
    pub what: &'static str,
    /// Description of the valid range.
    pub expected: &'static str,
    /// The invalid number.
    pub found: String,
}

impl OutOfRange {
    fn new(what: &'static str, expected: &'static str, found: impl fmt::Display) -> Self {
        Self { what, expected, found: found.to_string() }
    }
}

/// Number of evaluations of the diffusion head per token, 1 to 1000.
///
/// # Examples
/// ```
/// use gtr_core::DiffusionSteps;
/// assert_eq!(DiffusionSteps::new(50)?.get(), 50);
/// assert!(DiffusionSteps::new(0).is_err());
/// assert!(DiffusionSteps::new(1001).is_err());
/// # Ok::<(), gtr_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(
    description = "Number of evaluations of the diffusion head per token, 1 to 1000.",
    extend("minimum" = 1, "maximum" = 1000)
)]
pub struct DiffusionSteps(u32);

impl DiffusionSteps {
    /// Number of timesteps of the diffusion process that the models are trained on.
    pub const MAX: u32 = 1000;

    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] unless `steps` is 1 to 1000.
    pub fn new(steps: u32) -> Result<Self, OutOfRange> {
        if (1..=Self::MAX).contains(&steps) {
            Ok(Self(steps))
        } else {
            Err(OutOfRange::new("a number of diffusion steps", "1 to 1000", steps))
        }
    }

    /// Creates a constant; the range is checked at compile time in a const context.
    pub(crate) const fn literal(steps: u32) -> Self {
        assert!(steps >= 1 && steps <= Self::MAX);
        Self(steps)
    }

    /// Returns the number of diffusion steps.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Timestep of the 1000-step diffusion process, 0 (clean) to 999 (noise).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(extend("minimum" = 0, "maximum" = 999))]
pub struct Timestep(u32);

impl Timestep {
    /// The noisiest timestep, 999.
    pub const LAST: Self = Self(DiffusionSteps::MAX - 1);

    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] if `timestep` is above 999.
    pub fn new(timestep: u32) -> Result<Self, OutOfRange> {
        if timestep < DiffusionSteps::MAX {
            Ok(Self(timestep))
        } else {
            Err(OutOfRange::new("a timestep", "0 to 999", timestep))
        }
    }

    pub(crate) const fn literal(timestep: u32) -> Self {
        assert!(timestep < DiffusionSteps::MAX);
        Self(timestep)
    }

    /// Returns the timestep.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Generation rate: mean number of tokens per autoregressive step. Finite and greater than 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(extend("exclusiveMinimum" = 0))]
pub struct Rate(f64);

impl Rate {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] unless `rate` is finite and greater than 0.
    pub fn new(rate: f64) -> Result<Self, OutOfRange> {
        if rate.is_finite() && rate > 0.0 {
            Ok(Self(rate))
        } else {
            Err(OutOfRange::new("a generation rate", "a number above 0", rate))
        }
    }

    pub(crate) const fn literal(rate: f64) -> Self {
        assert!(rate > 0.0 && rate.is_finite());
        Self(rate)
    }

    /// Returns the rate in tokens per AR step.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Fraction, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(extend("minimum" = 0, "maximum" = 1))]
pub struct Fraction(f64);

impl Fraction {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] unless `share` is 0 to 1.
    pub fn new(share: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(OutOfRange::new("a fraction", "0 to 1", share)) }
    }

    pub(crate) const fn literal(share: f64) -> Self {
        assert!(share >= 0.0 && share <= 1.0);
        Self(share)
    }

    /// Returns the fraction.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Returns this fraction of `count`, rounded half away from zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts are below 2^25"
    )]
    pub fn of(self, count: usize) -> usize {
        (self.0 * count as f64).round() as usize
    }
}

/// Number of autoregressive (AR) steps, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(extend("minimum" = 1))]
pub struct ArSteps(u32);

impl ArSteps {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfRange`] if `steps` is 0.
    pub fn new(steps: u32) -> Result<Self, OutOfRange> {
        if steps >= 1 { Ok(Self(steps)) } else { Err(OutOfRange::new("a number of AR steps", "1 or more", steps)) }
    }

    pub(crate) const fn literal(steps: u32) -> Self {
        assert!(steps >= 1);
        Self(steps)
    }

    /// Returns the number of AR steps.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// Index of an image in a run, from 0. It is part of the key of the image's random streams, so an image is the same
/// whether it is sampled alone, in a batch, or by another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ImageIndex(pub u64);

/// Seed from which all random numbers of a run are derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Seed(pub u64);

macro_rules! conversions {
    ($($unit:ident: $inner:ty),*) => {$(
        impl TryFrom<$inner> for $unit {
            type Error = OutOfRange;
            fn try_from(value: $inner) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }

        impl From<$unit> for $inner {
            fn from(value: $unit) -> $inner {
                value.0
            }
        }
    )*};
}

conversions!(DiffusionSteps: u32, Timestep: u32, ArSteps: u32, Rate: f64, Fraction: f64);

macro_rules! display {
    ($($unit:ident),*) => {$(
        impl fmt::Display for $unit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

display!(DiffusionSteps, Timestep, Rate, Fraction, ArSteps, ImageIndex, Seed);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deserialising_checks_the_range() {
        assert!(serde_json::from_str::<DiffusionSteps>("0").is_err());
        assert!(serde_json::from_str::<Timestep>("1000").is_err());
        assert!(serde_json::from_str::<Rate>("-1").is_err());
        assert!(serde_json::from_str::<Fraction>("1.01").is_err());
        assert!(serde_json::from_str::<ArSteps>("0").is_err());
        assert_eq!(serde_json::from_str::<Fraction>("0.1").ok(), Fraction::new(0.1).ok());
    }

    #[test]
    fn schemas_contain_the_range() {
        let bound = |schema: schemars::Schema, name: &str| schema.get(name).and_then(serde_json::Value::as_u64);
        assert_eq!(bound(schemars::schema_for!(DiffusionSteps), "minimum"), Some(1));
        assert_eq!(bound(schemars::schema_for!(DiffusionSteps), "maximum"), Some(1000));
        assert_eq!(bound(schemars::schema_for!(Timestep), "maximum"), Some(999));
        assert_eq!(bound(schemars::schema_for!(Rate), "exclusiveMinimum"), Some(0));
        assert_eq!(bound(schemars::schema_for!(Fraction), "maximum"), Some(1));
        assert_eq!(bound(schemars::schema_for!(ArSteps), "minimum"), Some(1));
    }

    #[test]
    fn shares_round_half_away_from_zero() {
        assert_eq!(Fraction::literal(0.5).of(5), 3);
        assert_eq!(Fraction::literal(0.1).of(64), 6);
        assert_eq!(Fraction::literal(0.1).of(4), 0);
        assert_eq!(Fraction::literal(1.0).of(7), 7);
    }

    #[test]
    fn messages_contain_the_valid_range() {
        let message = Rate::new(f64::NAN).unwrap_err().to_string();
        assert_eq!(message, "a generation rate must be a number above 0, not NaN");
    }
}
