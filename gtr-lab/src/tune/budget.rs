//! Budget of an image.

use std::fmt;
use std::str::FromStr;

use gtr_core::preset;

/// A budget as given on the command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Budget {
    /// Operations per image, as `gtr-cli cost` counts them.
    Operations(f64),
    /// Seconds per image on this machine.
    Seconds(f64),
    /// The operations of a preset.
    Preset(String),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let amount = |text: &str| text.parse().ok().filter(|it: &f64| it.is_finite() && *it > 0.0);
        if let Some(operations) = amount(text) {
            return Ok(Self::Operations(operations));
        }
        if let Some(seconds) = text.strip_suffix('s').and_then(amount) {
            return Ok(Self::Seconds(seconds));
        }
        match preset::find(text) {
            Ok(preset) => Ok(Self::Preset(preset.name.clone())),
            Err(_) => {
                Err("expected operations per image (2e10), seconds per image (0.5s) or the name of a preset".into())
            }
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(operations) => write!(f, "{operations:e}"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Preset(name) => f.write_str(name),
        }
    }
}

/// A budget in operations, with a time limit if it was given in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Maximum operations of a plan, per image.
    pub operations: f64,
    /// Time limit of generated images.
    pub seconds: Option<Seconds>,
}

/// A time limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// Maximum seconds per image.
    pub limit: f64,
    /// Seconds per image of `gtr-16` in the same run; the conversion to operations uses them.
    pub yardstick: f64,
}

impl Allowance {
    /// Converts a time limit to operations, at the rate of a plan of `operations` that took `yardstick` seconds.
    pub fn of_seconds(limit: f64, yardstick: f64, operations: f64) -> Self {
        Self { operations: operations * limit / yardstick, seconds: Some(Seconds { limit, yardstick }) }
    }

    /// Returns true if images that took `seconds` each are within the time limit.
    pub fn allows(&self, seconds: f64) -> bool {
        self.seconds.is_none_or(|it| seconds <= it.limit)
    }
}

impl From<f64> for Allowance {
    fn from(operations: f64) -> Self {
        Self { operations, seconds: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read() {
        assert_eq!("1.2e9".parse(), Ok(Budget::Operations(1.2e9)));
        assert_eq!("0.5s".parse(), Ok(Budget::Seconds(0.5)));
        assert_eq!("gtr-16".parse(), Ok(Budget::Preset("gtr-16".to_owned())));
        for text in ["", "s", "0", "-1", "NaN", "inf", "0s", "1e999", "1e9x", "gtr"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_become_operations_and_stay_a_limit() {
        let allowance = Allowance::of_seconds(0.5, 0.25, 1e9);
        assert_eq!(allowance.operations, 2e9);
        assert!(allowance.allows(0.5) && !allowance.allows(0.51));
        assert!(Allowance::from(1.0).allows(1e9));
    }
}
