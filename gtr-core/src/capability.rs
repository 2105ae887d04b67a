//! What not every model offers.

use std::fmt;

/// A part of the trait that not every plan needs and not every model offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Conditioning vectors can be read by the host ([`crate::MaskedGenerator::host_features`]): some detail rules rank by them.
    HostFeatures,
    /// Finished images can be turned into token values ([`crate::MaskedGenerator::encode`]): plans in which tokens are known begin
    /// with them.
    Encoding,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostFeatures => f.write_str("conditioning vectors in host memory"),
            Self::Encoding => f.write_str("a way from images to tokens"),
        }
    }
}
