//! What a model provides, derived from its methods.

use super::{HeadKind, HeadVariance, MaskedGenerator};
use crate::Capability;

impl Capability {
    /// Returns true if a model provides the capability. This follows from the methods of the model, which state each of its
    /// abilities once.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Capability, MaskedGenerator};
    ///
    /// fn can_start_from_images(model: &impl MaskedGenerator) -> bool {
    ///     Capability::Encoding.is_provided_by(model)
    /// }
    /// ```
    pub fn is_provided_by<G: MaskedGenerator + ?Sized>(self, generator: &G) -> bool {
        match self {
            Self::HostFeatures => generator.feature_reader().is_some(),
            Self::Encoding => generator.image_encoder().is_some(),
            Self::LearnedVariance => {
                matches!(generator.head_kind(), HeadKind::Diffusion { variance: HeadVariance::Learned, .. })
            }
            Self::Confidence => generator.token_ranker().is_some(),
            Self::Reuse => generator.reuses(),
        }
    }
}
