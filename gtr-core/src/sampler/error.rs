//! Errors of the sampling loop.

use std::convert::Infallible;

use crate::{Capability, Grid, ImageIndex, TokenIndex};

/// Error of the sampling loop. `E` is the error type of the model, `O` that of the observer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError<E, O = Infallible> {
    /// The plan cannot be run, for example because its detail rule is not registered.
    #[error(transparent)]
    Plan(#[from] crate::Error),
    /// Plan and model have different grids.
    #[error("the plan is for a grid of {plan}, but the model has a grid of {model}; plan with --grid {model}")]
    Grid {
        /// Grid of the plan.
        plan: Grid,
        /// Grid of the model.
        model: Grid,
    },
    /// The plan requires a capability that the model does not provide.
    #[error("the plan requires {0}, which this model does not provide")]
    Unsupported(Capability),
    /// The plan has known tokens, but a job has no image that contains them.
    #[error("the plan has {}; expected an image for the known part, found none", crate::count(*known, "known token"))]
    MissingInitImage {
        /// Number of known tokens.
        known: usize,
    },
    /// The model returned the wrong number of items.
    #[error("the model returned {found} {what}, expected {expected}; this is a bug in the model")]
    Count {
        /// Name of the items.
        what: &'static str,
        /// Number of items returned.
        found: usize,
        /// Number of items expected.
        expected: usize,
    },
    /// A setting is out of range.
    #[error("{0}")]
    Setting(crate::OutOfRange),
    /// The model draws each token in one evaluation, but the plan has more diffusion steps.
    #[error(
        "AR step {step} has {steps} diffusion steps, but this model draws each token in one evaluation; \
         plan with --diffusion constant --t 1 and --detail none"
    )]
    DiffusionSteps {
        /// AR step, from 1.
        step: usize,
        /// Number of diffusion steps.
        steps: usize,
    },
    /// A token value is not a finite number.
    #[error(
        "token {token} of image {image} is not finite after AR step {step} of {steps}; check the weights and the settings"
    )]
    NonFinite {
        /// The image.
        image: ImageIndex,
        /// The token.
        token: TokenIndex,
        /// AR step, from 1.
        step: usize,
        /// Number of AR steps of the plan.
        steps: usize,
    },
    /// A confidence is not a number.
    #[error(
        "the confidence of token {token} of image {image} is not a number in AR step {step} of {steps}; check the weights \
         and the settings"
    )]
    Confidence {
        /// The image.
        image: ImageIndex,
        /// The token.
        token: TokenIndex,
        /// AR step, from 1.
        step: usize,
        /// Number of AR steps of the plan.
        steps: usize,
    },
    /// The model kept another row than that of a chosen token, or changed its confidence.
    #[error(
        "the model kept another row than that of token {token} of image {image} in AR step {step} of {steps}; this is a \
         bug in the model"
    )]
    OtherRow {
        /// The image.
        image: ImageIndex,
        /// The token.
        token: TokenIndex,
        /// AR step, from 1.
        step: usize,
        /// Number of AR steps of the plan.
        steps: usize,
    },
    /// The observer stopped the run.
    #[error("stopped after AR step {step} of {steps}")]
    Stopped {
        /// Last completed AR step, from 1.
        step: usize,
        /// Number of AR steps of the plan.
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
    /// Maps an error of the observer and keeps all other errors.
    pub fn map_observer<N>(self, failed: impl FnOnce(O) -> SampleError<E, N>) -> SampleError<E, N> {
        let Ok(error) = self.try_map(|error| Ok::<_, Infallible>(failed(error)));
        error
    }

    /// Separates an error of the observer, returned as `Err`, from all other errors.
    ///
    /// # Errors
    /// Returns the error of the observer.
    pub fn split_observer(self) -> Result<SampleError<E>, O> {
        self.try_map(Err)
    }

    fn try_map<N, X>(self, failed: impl FnOnce(O) -> Result<SampleError<E, N>, X>) -> Result<SampleError<E, N>, X> {
        Ok(match self {
            Self::Observer(error) => return failed(error),
            Self::Plan(error) => SampleError::Plan(error),
            Self::Grid { plan, model } => SampleError::Grid { plan, model },
            Self::Unsupported(capability) => SampleError::Unsupported(capability),
            Self::MissingInitImage { known } => SampleError::MissingInitImage { known },
            Self::Count { what, found, expected } => SampleError::Count { what, found, expected },
            Self::DiffusionSteps { step, steps } => SampleError::DiffusionSteps { step, steps },
            Self::Setting(error) => SampleError::Setting(error),
            Self::NonFinite { image, token, step, steps } => SampleError::NonFinite { image, token, step, steps },
            Self::Confidence { image, token, step, steps } => SampleError::Confidence { image, token, step, steps },
            Self::OtherRow { image, token, step, steps } => SampleError::OtherRow { image, token, step, steps },
            Self::Stopped { step, steps } => SampleError::Stopped { step, steps },
            Self::Model(error) => SampleError::Model(error),
        })
    }
}
