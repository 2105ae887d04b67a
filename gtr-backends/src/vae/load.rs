//! Loading of the halves of an autoencoder.

use super::decoder::KlDecoder;
use super::encoder::KlEncoder;
use super::names::{NamedWeights, Naming};
use super::size::{DecoderSize, EncoderSize};
use crate::checkpoint::{Checkpoint, Kind, WeightLayout, Weights};
use crate::{BackendError, Compute, Precision};

impl KlDecoder {
    /// Loads a decoder. The file may also have the encoder. The sizes are read from the tensors.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if the file is not an autoencoder; otherwise those of [`Weights::load`] and
    /// [`Weights::take`].
    pub fn load(checkpoint: Checkpoint, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Kind::AUTOENCODER.expect(&checkpoint)?;
        let naming = Naming::of(&checkpoint);
        let size = DecoderSize::infer(&checkpoint, naming)?;
        let section = checkpoint.section().clone();
        let mut weights = weights(checkpoint, naming, compute.into())?;
        Self::build(size, section, &mut NamedWeights { weights: &mut weights, naming })
    }

    /// Creates a decoder with random weights.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] for invalid sizes, or a failure of the device.
    pub fn random(size: &DecoderSize, seed: u64, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Self::load(Checkpoint::random("autoencoder", &Self::layout(size)?, seed), compute)
    }
}

impl KlEncoder {
    /// Loads an encoder. The file may also have the decoder. The sizes are read from the tensors.
    ///
    /// # Errors
    /// [`BackendError::Checkpoint`] if the file is not an autoencoder; otherwise those of [`Weights::load`] and
    /// [`Weights::take`].
    pub fn load(checkpoint: Checkpoint, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Kind::AUTOENCODER.expect(&checkpoint)?;
        let naming = Naming::of(&checkpoint);
        let size = EncoderSize::infer(&checkpoint, naming)?;
        let mut weights = weights(checkpoint, naming, compute.into())?;
        Self::build(size, &mut NamedWeights { weights: &mut weights, naming })
    }
}

/// Checks that a file has exactly the tensors of the halves that it contains, so that those of the unused half are not
/// unexpected.
fn weights(checkpoint: Checkpoint, naming: Naming, compute: Compute) -> Result<Weights, BackendError> {
    let has = |half: &str| checkpoint.tensors().any(|(name, _)| name.starts_with(half));
    let layout = WeightLayout::of(|weights| {
        let mut weights = NamedWeights { weights, naming };
        if has("decoder.") {
            let size = DecoderSize::infer(&checkpoint, naming)?;
            KlDecoder::build(size, checkpoint.section().clone(), &mut weights)?;
        }
        if has("encoder.") {
            KlEncoder::build(EncoderSize::infer(&checkpoint, naming)?, &mut weights)?;
        }
        Ok(())
    })?;
    Weights::new(checkpoint, layout, |_| false, compute.with_precision(Precision::F32))
}
