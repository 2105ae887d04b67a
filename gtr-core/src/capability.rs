//! Optional abilities of models.

use std::fmt;

/// Optional ability of a model, which some plans require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Copies conditioning vectors to host memory ([`crate::MaskedGenerator::host_features`]). Some detail rules rank
    /// tokens by them.
    HostFeatures,
    /// Encodes images as token values ([`crate::MaskedGenerator::encode`]). Plans with known tokens require it.
    Encoding,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostFeatures => f.write_str("conditioning vectors in host memory"),
            Self::Encoding => f.write_str("encoding of images"),
        }
    }
}
