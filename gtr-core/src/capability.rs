//! Optional abilities of models.

use std::fmt;

/// Optional ability of a model, which some plans require. [`Capability::is_provided_by`] tells whether a model has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Copies conditioning vectors to host memory ([`crate::FeatureReader`]). Some detail rules rank tokens by them.
    HostFeatures,
    /// Encodes images as token values ([`crate::ImageEncoder`]). Plans with known tokens require it.
    Encoding,
    /// The diffusion head predicts the variance of its steps ([`crate::HeadVariance::Learned`]). The solver `ddpm` requires
    /// it.
    LearnedVariance,
    /// States how confident it is of each token that it has drawn, and drops drawn tokens ([`crate::TokenRanker`]). Orders
    /// that are decided while sampling require it.
    Confidence,
    /// Takes results from earlier AR steps ([`crate::StepReuse`], [`crate::MaskedGenerator::reuses`]).
    Reuse,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 5] =
        [Self::HostFeatures, Self::Encoding, Self::LearnedVariance, Self::Confidence, Self::Reuse];
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostFeatures => f.write_str("conditioning vectors in host memory"),
            Self::Encoding => f.write_str("encoding of images"),
            Self::LearnedVariance => f.write_str("a diffusion head that predicts variances (choose another solver)"),
            Self::Confidence => f.write_str("the confidence of drawn tokens"),
            Self::Reuse => f.write_str("reuse between AR steps"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_capabilities_are_listed() {
        // Does not compile for a new capability until it has a number.
        let number = |capability: Capability| match capability {
            Capability::HostFeatures => 0,
            Capability::Encoding => 1,
            Capability::LearnedVariance => 2,
            Capability::Confidence => 3,
            Capability::Reuse => 4,
        };
        assert_eq!(Capability::ALL.map(number), [0, 1, 2, 3, 4]);
    }
}
