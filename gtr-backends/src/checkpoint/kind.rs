//! What a checkpoint is a checkpoint of.

use std::fmt;

use super::Checkpoint;
use crate::BackendError;

/// A kind of checkpoint, told by tensors that only checkpoints of this kind have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    title: &'static str,
    marks: &'static [&'static str],
}

/// The kinds that are told apart; the first of them that a checkpoint has a mark of is its kind.
const KINDS: [Kind; 4] = [Kind::LIGHT_GEN, Kind::MAR, Kind::AUTOENCODER, Kind::T5];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl Kind {
    /// Generates images of a class.
    pub const MAR: Self = Self::new("a MAR model", &["class_emb.weight", "diffusion_pos_embed_learned"]);
    /// Generates images of a text.
    pub const LIGHT_GEN: Self =
        Self::new("a LightGen model", &["cross_attn_blocks.0.normq.weight", "last_pos_embed_learned"]);
    /// Turns latent images into pictures.
    pub const AUTOENCODER: Self = Self::new("an autoencoder", &["decoder.conv_in.weight", "encoder.conv_in.weight"]);
    /// A T5 text encoder.
    pub const T5: Self = Self::new(
        "a T5 text encoder",
        &["encoder.final_layer_norm.weight", "encoder.embed_tokens.weight", "shared.weight"],
    );

    /// A kind that is called `title` in messages, with an article, and that any of the tensors `marks` tells.
    pub const fn new(title: &'static str, marks: &'static [&'static str]) -> Self {
        Self { title, marks }
    }

    /// What a checkpoint holds, if that can be told.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        Self::of_names(|name| checkpoint.info(name).is_some())
    }

    /// What a collection of tensors is, told by which of them it holds.
    pub(super) fn of_names(holds: impl Fn(&str) -> bool) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.marks.iter().any(|name| holds(name)))
    }

    /// Refuses a checkpoint of another kind; one that can not be told is left to the comparison of its tensors.
    ///
    /// # Errors
    /// [`BackendError::OtherKind`].
    pub fn expect(self, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        let is_own = !KINDS.contains(&self) && self.marks.iter().any(|name| checkpoint.info(name).is_some());
        match Self::of(checkpoint).filter(|_| !is_own) {
            Some(found) if found != self => Err(BackendError::OtherKind {
                file: checkpoint.name().to_owned(),
                found: found.title,
                expected: self.title,
            }),
            _ => Ok(()),
        }
    }
}
