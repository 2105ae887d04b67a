//! Why a run failed.

use std::convert::Infallible;

use crate::{Capability, Grid, ImageIndex, TokenIndex};

/// Why a run failed: `E` is what a model fails with, `O` what an observer fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError<E, O = Infallible> {
    /// The plan itself cannot be run here.
    #[error(transparent)]
    Plan(#[from] crate::Error),
    /// The plan is for another grid.
    #[error("the plan is for a grid of {plan}, the model for one of {model}: plan with --grid {model}")]
    Grid {
        /// Grid of the plan.
        plan: Grid,
        /// Grid of the model.
        model: Grid,
    },
    /// The plan needs what the model does not offer.
    #[error("the plan needs {0}, which this model does not offer")]
    Unsupported(Capability),
    /// Tokens are known to the plan, but not to the caller.
    #[error("{known} tokens of the plan are known from the start: give the image that has them")]
    NothingKnown {
        /// How many.
        known: usize,
    },
    /// The model returned another number of items than it was asked for.
    #[error("the model returned {found} {what}, expected {expected}: its implementation is at fault")]
    Count {
        /// The items.
        what: &'static str,
        /// How many it returned.
        found: usize,
        /// How many belong to the request.
        expected: usize,
    },
    /// A setting is out of range.
    #[error("{0}")]
    Setting(crate::OutOfRange),
    /// A token value is not a finite number.
    #[error(
        "token {token} of image {image} came out not finite in AR step {step} of {steps}: the weights or the settings are at fault"
    )]
    NonFinite {
        /// The image.
        image: ImageIndex,
        /// The token.
        token: TokenIndex,
        /// The AR step, from 1.
        step: usize,
        /// AR steps of the plan.
        steps: usize,
    },
    /// The observer stopped the run.
    #[error("stopped after AR step {step} of {steps}")]
    Stopped {
        /// The last step taken, from 1.
        step: usize,
        /// AR steps of the plan.
        steps: usize,
    },
    /// The observer failed.
    #[error("{0}")]
    Observer(O),
    /// The model failed.
    #[error(transparent)]
    Model(E),
}

impl<E, O> SampleError<E, O> {
    /// Replaces a failure of the observer by the result of `failed`; keeps all other errors.
    pub fn map_observer<N>(self, failed: impl FnOnce(O) -> SampleError<E, N>) -> SampleError<E, N> {
        let Ok(error) = self.try_map(|error| Ok::<_, Infallible>(failed(error)));
        error
    }

    /// Separates a failure of the observer, which is the `Err`, from all other errors.
    ///
    /// # Errors
    /// The error of the observer.
    pub fn split_observer(self) -> Result<SampleError<E>, O> {
        self.try_map(Err)
    }

    fn try_map<N, X>(self, failed: impl FnOnce(O) -> Result<SampleError<E, N>, X>) -> Result<SampleError<E, N>, X> {
        Ok(match self {
            Self::Observer(error) => return failed(error),
            Self::Plan(error) => SampleError::Plan(error),
            Self::Grid { plan, model } => SampleError::Grid { plan, model },
            Self::Unsupported(capability) => SampleError::Unsupported(capability),
            Self::NothingKnown { known } => SampleError::NothingKnown { known },
            Self::Count { what, found, expected } => SampleError::Count { what, found, expected },
            Self::Setting(error) => SampleError::Setting(error),
            Self::NonFinite { image, token, step, steps } => SampleError::NonFinite { image, token, step, steps },
            Self::Stopped { step, steps } => SampleError::Stopped { step, steps },
            Self::Model(error) => SampleError::Model(error),
        })
    }
}
