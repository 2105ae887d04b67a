//! Which differences a comparison allows.

use std::fmt;

use super::report::Tolerance;
use crate::Precision;

/// Which differences a comparison allows for quantities that a device computes.
///
/// Orders, masks, timesteps, noise and other values that are only copied must always be equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Tolerances {
    /// The tolerances of the recordings, which are for f32 on the CPU.
    #[default]
    Recorded,
    /// One number in place of every tolerance that is not exact. Relative for coefficients and scores.
    Number(f64),
    /// For values that the device computes, the tolerance of the recording, or [`Tolerances::share`] of the largest
    /// recorded value if that is larger. For other values the tolerance of the recording. Recorded runs of 16-bit types
    /// are compared step by step only, not from start to end.
    Rounding,
}

/// Where the values of a quantity are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// On the host, in the same way for every device and type.
    Host,
    /// On the device, in the type of the run.
    Device,
}

impl Tolerances {
    /// Returns the share of the largest recorded value that [`Tolerances::Rounding`] allows for a type.
    ///
    /// For 16 bits, the shares are about three times the largest differences of the recordings in `tests/golden` on the
    /// CPU: 1.9e-2 in f16 and 1.0e-1 in bf16. They bound rounding; an error in the code changes values by as much as their
    /// size.
    pub fn share(precision: Precision) -> f64 {
        match precision {
            Precision::F32 => 1e-3,
            Precision::F16 => 5e-2,
            Precision::Bf16 => 3e-1,
        }
    }

    /// Returns the tolerance of a quantity. `own` is that of the recording, `largest` the largest absolute value.
    pub(super) fn of(self, own: Tolerance, origin: Origin, precision: Precision, largest: f64) -> Tolerance {
        match (self, own) {
            (Self::Number(most), Tolerance::Absolute(_)) => Tolerance::Absolute(most),
            (Self::Number(most), Tolerance::Relative(_)) => Tolerance::Relative(most),
            (Self::Rounding, Tolerance::Absolute(most)) if origin == Origin::Device => {
                Tolerance::Absolute(most.max(Self::share(precision) * largest))
            }
            _ => own,
        }
    }

    /// Returns true if the results of whole runs are compared. The first evaluations of a chain amplify errors of the
    /// conditioning vectors by up to 2e4, so the rounding of 16 bits has no useful bound there.
    pub(super) fn compares_whole_runs(self, precision: Precision) -> bool {
        !matches!(self, Self::Rounding) || precision == Precision::F32
    }

    /// Describes the tolerances of a run in one type.
    pub(super) fn describe(self, precision: Precision) -> String {
        match self {
            Self::Rounding => format!("{self} of {precision}, {} of the largest value", Self::share(precision)),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Tolerances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("recorded"),
            Self::Number(most) => write!(f, "{most:e}"),
            Self::Rounding => f.write_str("rounding"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_of_the_device_get_the_tolerance_of_rounding() {
        let of = |origin, own| Tolerances::Rounding.of(own, origin, Precision::Bf16, 4.0);
        assert_eq!(of(Origin::Device, Tolerance::Absolute(1e-5)), Tolerance::Absolute(0.3 * 4.0));
        assert_eq!(of(Origin::Device, Tolerance::Absolute(1.5)), Tolerance::Absolute(1.5));
        for own in [Tolerance::Exact, Tolerance::Absolute(1e-5), Tolerance::Relative(1e-6)] {
            assert_eq!(of(Origin::Host, own), own);
        }
    }

    #[test]
    fn exact_stays_exact_and_the_default_changes_nothing() {
        for tolerances in [Tolerances::Recorded, Tolerances::Number(9.0), Tolerances::Rounding] {
            let found = tolerances.of(Tolerance::Exact, Origin::Device, Precision::Bf16, 1.0);
            assert_eq!(found, Tolerance::Exact, "{tolerances}");
        }
        for own in [Tolerance::Absolute(1e-5), Tolerance::Relative(1e-6)] {
            assert_eq!(Tolerances::Recorded.of(own, Origin::Device, Precision::Bf16, 1.0), own);
        }
        assert!(Tolerances::share(Precision::F32) < Tolerances::share(Precision::F16));
        assert!(Tolerances::share(Precision::F16) < Tolerances::share(Precision::Bf16));
    }
}
