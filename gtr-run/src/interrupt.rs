//! Requests to stop, as a value that is passed in: who calls decides where they come from.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gtr_backends::BackendError;
use gtr_core::sampler::SampleError;

use crate::error::{Error, Interruption};

/// A batch that is finished within this time after a request is finished.
const WORTH: Duration = Duration::from_secs(2);

/// Tells work that can be stopped whether it is to stop.
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
    /// Asks `requested` whenever it is looked whether work is to stop: often, and from several threads.
    pub fn new(requested: impl Fn() -> Option<Interruption> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(requested)))
    }

    /// Never stops anything.
    pub fn never() -> Self {
        Self(None)
    }

    /// Why work is to stop, if it is.
    pub fn requested(&self) -> Option<Interruption> {
        self.0.as_ref().and_then(|requested| requested())
    }

    /// Goes on only if work is not to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it is.
    pub fn check(&self) -> Result<(), Error> {
        self.requested().map_or(Ok(()), |reason| Err(Error::Interrupted(reason)))
    }

    /// Whether a batch goes on after `done` of its AR steps: to its end, unless work is to stop and the rest takes more than a few
    /// seconds.
    pub fn flow(&self, started: Instant, done: usize, steps: usize) -> ControlFlow<()> {
        match self.requested() {
            Some(_) if left(started.elapsed(), done, steps) > WORTH => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    /// What a sampler made, where this interrupt may have stopped it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it did, otherwise what the sampler says.
    pub fn sampled<T, O: Into<Error>>(&self, made: Result<T, SampleError<BackendError, O>>) -> Result<T, Error> {
        match (made, self.requested()) {
            (Err(SampleError::Stopped { .. }), Some(reason)) => Err(Error::Interrupted(reason)),
            (made, _) => made.map_err(Error::from),
        }
    }
}

/// The time that the rest of some steps takes, where those that are done took `elapsed`.
fn left(elapsed: Duration, done: usize, steps: usize) -> Duration {
    let each = elapsed / u32::try_from(done.max(1)).unwrap_or(u32::MAX);
    each.saturating_mul(u32::try_from(steps.saturating_sub(done)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_steps_left() {
        let second = Duration::from_secs(1);
        assert_eq!(left(second, 1, 8), 7 * second);
        assert_eq!(left(4 * second, 8, 8), Duration::ZERO);
        assert_eq!(left(Duration::ZERO, 0, 3), Duration::ZERO);
    }
}
