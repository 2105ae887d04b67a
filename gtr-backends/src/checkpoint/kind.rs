//! Kinds of checkpoints.

use std::fmt;

use super::Checkpoint;
use crate::BackendError;

/// A kind of checkpoint, recognised by tensors that only this kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    title: &'static str,
    marks: &'static [&'static str],
}

/// Known kinds. The first kind with a matching tensor is selected.
const KINDS: [Kind; 4] = [Kind::LIGHT_GEN, Kind::MAR, Kind::AUTOENCODER, Kind::T5];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl Kind {
    /// A MAR model, conditioned on a class.
    pub const MAR: Self = Self::new("a MAR model", &["class_emb.weight", "diffusion_pos_embed_learned"]);
    /// A LightGen model, conditioned on a text.
    pub const LIGHT_GEN: Self =
        Self::new("a LightGen model", &["cross_attn_blocks.0.normq.weight", "last_pos_embed_learned"]);
    /// An autoencoder of latent images.
    pub const AUTOENCODER: Self = Self::new("an autoencoder", &["decoder.conv_in.weight", "encoder.conv_in.weight"]);
    /// A T5 text encoder.
    pub const T5: Self = Self::new(
        "a T5 text encoder",
        &["encoder.final_layer_norm.weight", "encoder.embed_tokens.weight", "shared.weight"],
    );

    /// Creates a kind. `title` is its name in messages, with an article; `marks` are tensor names, any of which
    /// identifies it.
    pub const fn new(title: &'static str, marks: &'static [&'static str]) -> Self {
        Self { title, marks }
    }

    /// Returns the kind of a checkpoint, if it is recognised.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        Self::of_names(|name| checkpoint.info(name).is_some())
    }

    /// Returns the kind of a collection of tensors. `holds` returns true for the names of its tensors.
    pub(super) fn of_names(holds: impl Fn(&str) -> bool) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.marks.iter().any(|name| holds(name)))
    }

    /// Refuses a checkpoint of another known kind. If the kind is unknown, loading compares the tensors later.
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
