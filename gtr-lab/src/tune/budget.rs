//! What an image may cost.

use std::fmt;
use std::str::FromStr;

use gtr_core::preset;

/// A budget as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Budget {
    /// Operations, as `cost` counts them.
    Operations(f64),
    /// Seconds on this machine.
    Seconds(f64),
    /// As much as a preset.
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
                Err("write operations an image, as 2e10, seconds an image, as 0.5s, or the name of a preset".into())
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

/// A budget in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// What no plan may exceed.
    pub operations: f64,
    /// What no images that were made may exceed.
    pub seconds: Option<Seconds>,
}

/// A limit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// The limit.
    pub limit: f64,
    /// What `gtr-16` took in the same run, by which seconds became operations.
    pub yardstick: f64,
}

impl Allowance {
    /// A limit of time as operations, at the rate of a plan that was timed.
    pub fn of_seconds(limit: f64, yardstick: f64, operations: f64) -> Self {
        Self { operations: operations * limit / yardstick, seconds: Some(Seconds { limit, yardstick }) }
    }

    /// Whether images that took so long are within it.
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
