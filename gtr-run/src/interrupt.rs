//! Stop requests. The caller passes in their source, for example a signal handler.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;

use crate::error::{Error, Interruption};

/// After a stop request, a batch is finished if that takes at most this time.
const WORTH: Duration = Duration::from_secs(2);

/// Access to stop requests for work that can be stopped.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use gtr_run::{Interrupt, Interruption};
///
/// let pressed = Arc::new(AtomicBool::new(false));
/// let seen = Arc::clone(&pressed);
/// let interrupt = Interrupt::new(move || seen.load(Ordering::Relaxed).then_some(Interruption::User));
/// assert_eq!(interrupt.requested(), None);
/// pressed.store(true, Ordering::Relaxed);
/// assert_eq!(interrupt.requested(), Some(Interruption::User));
/// ```
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<dyn Fn() -> Option<Interruption> + Send + Sync>>);

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.requested()).finish()
    }
}

impl Interrupt {
    /// Creates an interrupt that polls `requested`. The function is called often, and from several threads.
    pub fn new(requested: impl Fn() -> Option<Interruption> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(requested)))
    }

    /// Returns an interrupt that never requests a stop.
    pub fn never() -> Self {
        Self(None)
    }

    /// Returns the reason for a stop, or `None` if none is requested.
    pub fn requested(&self) -> Option<Interruption> {
        self.0.as_ref().and_then(|requested| requested())
    }

    /// Returns an error if a stop is requested.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if a stop is requested.
    pub fn check(&self) -> Result<(), Error> {
        self.requested().map_or(Ok(()), |reason| Err(Error::Interrupted(reason)))
    }

    /// Decides whether a batch continues after `done` of `steps` AR steps. It breaks if a stop is requested and the remaining steps take
    /// more than two seconds.
    pub fn flow(&self, started: Instant, done: usize, steps: usize) -> ControlFlow<()> {
        match self.requested() {
            Some(_) if left(started.elapsed(), done, steps) > WORTH => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Converts the result of a sampler that this interrupt may have stopped.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if a stop request ended the sampler, otherwise the error of the sampler.
    pub fn sampled<T, O: Into<Error>>(&self, made: Result<T, SampleError<BackendError, O>>) -> Result<T, Error> {
        match (made, self.requested()) {
            (Err(SampleError::Stopped { .. }), Some(reason)) => Err(Error::Interrupted(reason)),
            (made, _) => made.map_err(Error::from),
        }
    }
}

/// Estimates the time for the remaining steps from the time for the finished ones.
fn left(elapsed: Duration, done: usize, steps: usize) -> Duration {
    let each = elapsed / u32::try_from(done.max(1)).unwrap_or(u32::MAX);
    each.saturating_mul(u32::try_from(steps.saturating_sub(done)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_extrapolated() {
        let second = Duration::from_secs(1);
        assert_eq!(left(second, 1, 8), 7 * second);
        assert_eq!(left(4 * second, 8, 8), Duration::ZERO);
        assert_eq!(left(Duration::ZERO, 0, 3), Duration::ZERO);
    }
}
