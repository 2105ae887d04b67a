//! What a checkpoint is a checkpoint of.

use std::fmt;

use super::Checkpoint;
use crate::BackendError;

/// Kinds of models, told apart by tensors that only one of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Generates images of a class.
    Mar,
    /// Generates images of a text.
    LightGen,
    /// Turns latent images into pictures.
    Autoencoder,
    /// A T5 text encoder.
    T5,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mar => "a MAR model",
            Self::LightGen => "a LightGen model",
            Self::Autoencoder => "an autoencoder",
            Self::T5 => "a T5 text encoder",
        })
    }
}

impl Kind {
    /// What a checkpoint holds, if that can be told.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        Self::of_names(|name| checkpoint.info(name).is_some())
    }

    /// What a collection of tensors is, told by which of them it holds.
    pub(super) fn of_names(holds: impl Fn(&str) -> bool) -> Option<Self> {
        const MARKS: [(&str, Kind); 9] = [
            ("cross_attn_blocks.0.normq.weight", Kind::LightGen),
            ("last_pos_embed_learned", Kind::LightGen),
            ("class_emb.weight", Kind::Mar),
            ("diffusion_pos_embed_learned", Kind::Mar),
            ("decoder.conv_in.weight", Kind::Autoencoder),
            ("encoder.conv_in.weight", Kind::Autoencoder),
            ("encoder.final_layer_norm.weight", Kind::T5),
            ("encoder.embed_tokens.weight", Kind::T5),
            ("shared.weight", Kind::T5),
        ];
        MARKS.into_iter().find_map(|(name, kind)| holds(name).then_some(kind))
    }

    /// Refuses a checkpoint of another kind; one that can not be told is left to the comparison of its tensors.
    pub(crate) fn expect(self, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        match Self::of(checkpoint) {
            Some(found) if found != self => {
                Err(BackendError::OtherKind { file: checkpoint.name().to_owned(), found, expected: self })
            }
            _ => Ok(()),
        }
    }
}
