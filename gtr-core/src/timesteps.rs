//! The timesteps of the 1000-step process at which the head is evaluated for a token.

use std::fmt;
use std::sync::Arc;

use crate::{DiffusionSteps, Timestep};

/// Upper limit of the timesteps, set by a plan or a model to avoid timesteps at which the head is not accurate enough.
///
/// At timestep 999 of the cosine process, an error of the head is amplified about 2e4 times in the estimated token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestepLimit {
    /// Timesteps are spaced evenly from 0 to this one (`max_timestep`).
    Max(Timestep),
    /// Timesteps are spaced evenly from 0 to 999, then those above this one are replaced by it and duplicates dropped
    /// (`clip_timestep`, as `DiSA` does it).
    Clip(Timestep),
}

impl TimestepLimit {
    /// No limit: up to timestep 999.
    pub const NONE: Self = Self::Max(Timestep::LAST);
}

impl fmt::Display for TimestepLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max(timestep) => write!(f, "0 to {timestep}"),
            Self::Clip(timestep) => write!(f, "0 to 999, clipped at {timestep}"),
        }
    }
}

/// Error for more diffusion steps than there are timesteps below the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{steps} diffusion steps exceed the {} timesteps from 0 to {max}", max.get() + 1)]
pub struct TooManyDiffusionSteps {
    /// Number of diffusion steps requested.
    pub steps: DiffusionSteps,
    /// Highest timestep allowed.
    pub max: Timestep,
}

/// The timesteps at which the head is evaluated for a token, ascending. Sampling visits them in descending order.
///
/// # Examples
/// ```
/// use gtr_core::{DiffusionSteps, TimestepLimit, Timesteps};
/// let timesteps = Timesteps::new(DiffusionSteps::new(5)?, TimestepLimit::NONE)?;
/// assert_eq!(timesteps.values(), [0, 250, 500, 749, 999]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timesteps(Arc<[u32]>);

impl Timesteps {
    /// Returns the timesteps of `steps` diffusion steps. As in the reference, the stride is accumulated in f64 and each
    /// sum is rounded half to even. A single step uses only the highest timestep; its result is the head's estimate of
    /// the clean token, without added noise.
    ///
    /// [`TimestepLimit::Clip`] may give fewer timesteps than `steps`.
    ///
    /// # Errors
    /// [`TooManyDiffusionSteps`] if [`TimestepLimit::Max`] leaves fewer timesteps than `steps`.
    ///
    /// # Source
    /// Respacing of LTH14/mar (`space_timesteps`); the clip is from `DiSA`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 999")]
    pub fn new(steps: DiffusionSteps, limit: TimestepLimit) -> Result<Self, TooManyDiffusionSteps> {
        let (last, clip) = match limit {
            TimestepLimit::Max(max) => (max, max),
            TimestepLimit::Clip(clip) => (Timestep::LAST, clip),
        };
        if steps.get() > last.get() + 1 {
            return Err(TooManyDiffusionSteps { steps, max: last });
        }
        if steps.get() == 1 {
            return Ok(Self([clip.get()].into()));
        }
        let stride = f64::from(last.get()) / f64::from(steps.get() - 1);
        let mut values = Vec::with_capacity(steps.get() as usize);
        let mut sum = 0.0_f64;
        for _ in 0..steps.get() {
            values.push((sum.round_ties_even() as u32).min(clip.get()));
            sum += stride;
        }
        values.dedup();
        Ok(Self(values.into()))
    }

    /// Checks timesteps from a recording.
    ///
    /// # Errors
    /// Returns the first timestep that is above 999 or not greater than the one before it, or `None` if `values` is
    /// empty.
    pub fn from_values(values: &[u32]) -> Result<Self, Option<u32>> {
        let mut previous = None;
        for &value in values {
            if value > Timestep::LAST.get() || previous.is_some_and(|previous| value <= previous) {
                return Err(Some(value));
            }
            previous = Some(value);
        }
        if values.is_empty() { Err(None) } else { Ok(Self(values.into())) }
    }

    /// Returns the timesteps, ascending.
    pub fn values(&self) -> &[u32] {
        &self.0
    }

    /// Returns the number of evaluations of the head, at least 1.
    pub fn evaluations(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timesteps(steps: u32, limit: TimestepLimit) -> Vec<u32> {
        Timesteps::new(DiffusionSteps::new(steps).unwrap(), limit).unwrap().values().to_vec()
    }

    #[test]
    fn halves_round_to_even() {
        // Half away from zero would give 167 and 500 here.
        assert_eq!(timesteps(7, TimestepLimit::NONE), [0, 166, 333, 500, 666, 832, 999]);
        assert_eq!(timesteps(3, TimestepLimit::NONE), [0, 500, 999]);
    }

    #[test]
    fn one_step_is_the_highest_timestep() {
        assert_eq!(timesteps(1, TimestepLimit::NONE), [999]);
        assert_eq!(timesteps(1, TimestepLimit::Max(Timestep::literal(949))), [949]);
        assert_eq!(timesteps(1, TimestepLimit::Clip(Timestep::literal(950))), [950]);
    }

    #[test]
    fn a_clip_merges_timesteps_above_it() {
        let clip = TimestepLimit::Clip(Timestep::literal(950));
        assert_eq!(timesteps(5, clip), [0, 250, 500, 749, 950]);
        assert_eq!(timesteps(50, clip).len(), 48);
    }

    #[test]
    fn valid_step_counts_give_distinct_timesteps() {
        for max in [0, 1, 5, 499, 949, 999] {
            let limit = TimestepLimit::Max(Timestep::new(max).unwrap());
            for steps in 1..=max + 1 {
                let values = timesteps(steps, limit);
                assert_eq!(values.len(), steps as usize, "{steps} steps up to {max}");
                assert_eq!(values.last(), Some(&max));
            }
            if let Ok(steps) = DiffusionSteps::new(max + 2) {
                assert_eq!(
                    Timesteps::new(steps, limit).map(|_| ()),
                    Err(TooManyDiffusionSteps { steps, max: Timestep::new(max).unwrap() })
                );
            }
        }
    }

    #[test]
    fn recorded_timesteps_must_ascend() {
        assert_eq!(Timesteps::from_values(&[0, 3, 3]), Err(Some(3)));
        assert_eq!(Timesteps::from_values(&[0, 1000]), Err(Some(1000)));
        assert_eq!(Timesteps::from_values(&[]), Err(None));
        assert_eq!(Timesteps::from_values(&[0, 999]).map(|t| t.evaluations()), Ok(2));
    }
}
