//! Scale of classifier-free guidance over the AR steps.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Fraction, OutOfRange};

/// Course of the guidance scale over the AR steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GuidanceSchedule {
    /// Linear from 1 to the full scale with the fraction of tokens known after the step.
    #[default]
    Linear,
    /// The same scale in every step.
    Constant,
}

impl GuidanceSchedule {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Linear, Self::Constant];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Constant => "constant",
        }
    }
}

impl fmt::Display for GuidanceSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for GuidanceSchedule {
    type Err = OutOfRange;

    /// The schedule with this [name](GuidanceSchedule::name).
    ///
    /// # Examples
    /// ```
    /// use gtr_core::GuidanceSchedule;
    /// assert_eq!("constant".parse(), Ok(GuidanceSchedule::Constant));
    /// assert!("cosine".parse::<GuidanceSchedule>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Self, OutOfRange> {
        let named = Self::ALL.into_iter().find(|schedule| schedule.name() == name);
        named.ok_or_else(|| OutOfRange {
            what: "a guidance schedule",
            expected: "linear or constant",
            found: name.to_owned(),
        })
    }
}

/// Classifier-free guidance. Scale 1 means no guidance.
///
/// # Examples
/// ```
/// use gtr_core::{Guidance, GuidanceSchedule};
/// let guidance = Guidance::new(3.0, GuidanceSchedule::Linear)?;
/// assert_eq!(guidance.at(64, 32), 2.0);
/// // The reference counts one token as masked after the last step.
/// assert_eq!(guidance.at(64, 0), 1.0 + 2.0 * 63.0 / 64.0);
/// # Ok::<(), gtr_core::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guidance {
    scale: f64,
    schedule: GuidanceSchedule,
}

impl Guidance {
    /// No guidance: only the conditional prediction is used.
    pub const NONE: Self = Self { scale: 1.0, schedule: GuidanceSchedule::Constant };

    /// Creates guidance with a scale of 0 to 1000.
    ///
    /// # Errors
    /// [`OutOfRange`] unless `scale` is 0 to 1000.
    pub fn new(scale: f64, schedule: GuidanceSchedule) -> Result<Self, OutOfRange> {
        if (0.0..=1000.0).contains(&scale) {
            Ok(Self { scale, schedule })
        } else {
            Err(OutOfRange { what: "a guidance scale", expected: "0 to 1000", found: scale.to_string() })
        }
    }

    /// Returns the full scale.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// Returns the course over the AR steps.
    pub fn schedule(self) -> GuidanceSchedule {
        self.schedule
    }

    /// Returns true if the unconditional prediction is needed.
    pub fn is_guided(self) -> bool {
        self.scale != 1.0
    }

    /// Returns the scale of a step after which `masked_after` of `tokens` tokens are masked.
    ///
    /// # Source
    /// LTH14/mar `sample_tokens`: linear is 1 + (scale - 1) (tokens - masked) / tokens, where masked is at least 1.
    #[expect(clippy::cast_precision_loss, reason = "at most 2^24 tokens")]
    pub fn at(self, tokens: usize, masked_after: usize) -> f64 {
        match self.schedule {
            GuidanceSchedule::Constant => self.scale,
            GuidanceSchedule::Linear => {
                1.0 + (self.scale - 1.0) * (tokens - masked_after.max(1)) as f64 / tokens as f64
            }
        }
    }
}

impl Guidance {
    /// Differences of a scale from 1 up to this one count as no guidance: the effect of the unconditional half is far below
    /// the rounding of f32.
    pub const EPSILON: f64 = 1e-9;

    /// Returns the scale of a step: 1 + (scale - 1) strength, or the course of [`Guidance::at`] if the plan sets no
    /// strength. Exactly 1 within [`Guidance::EPSILON`] of it.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Fraction, Guidance, GuidanceSchedule};
    /// let guidance = Guidance::new(3.0, GuidanceSchedule::Linear)?;
    /// assert_eq!(guidance.in_step(None, 64, 32), 2.0);
    /// assert_eq!(guidance.in_step(Some(Fraction::new(0.25)?), 64, 32), 1.5);
    /// assert_eq!(guidance.in_step(Some(Fraction::new(0.0)?), 64, 32), 1.0);
    /// # Ok::<(), gtr_core::OutOfRange>(())
    /// ```
    pub fn in_step(self, strength: Option<Fraction>, tokens: usize, masked_after: usize) -> f64 {
        let scale = match strength {
            None => self.at(tokens, masked_after),
            Some(strength) => 1.0 + (self.scale - 1.0) * strength.get(),
        };
        if (scale - 1.0).abs() <= Self::EPSILON { 1.0 } else { scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for schedule in GuidanceSchedule::ALL {
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
            assert_eq!(serde_json::to_value(schedule).unwrap(), schedule.name());
        }
        let error = "cosine".parse::<GuidanceSchedule>().unwrap_err().to_string();
        assert!(error.contains("linear or constant") && error.ends_with("not cosine"), "{error}");
    }

    #[test]
    fn scales_are_bounded() {
        assert!(Guidance::new(f64::NAN, GuidanceSchedule::Linear).is_err());
        assert!(Guidance::new(-1.0, GuidanceSchedule::Linear).is_err());
        assert!(!Guidance::NONE.is_guided());
        assert_eq!(Guidance::new(3.0, GuidanceSchedule::Constant).unwrap().at(64, 0), 3.0);
    }
}
