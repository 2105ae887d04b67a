//! Kinds of checkpoints.

use std::fmt;

use super::Checkpoint;
use crate::BackendError;
use crate::family_table::family_table;

/// A kind of checkpoint, recognised by tensors that only this kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    title: &'static str,
    marks: &'static [&'static str],
}

/// Generates the kinds of model families, and the list of all known kinds. The last kind with a matching tensor is
/// selected.
macro_rules! kinds {
    ($($family:ident, $kind:ident $title:literal, $marks:expr;)*) => {
        impl Kind {
            $(#[doc = concat!("A checkpoint of the family `", stringify!($family), "`: ", $title, ".")]
            pub const $kind: Self = Self::new($title, &$marks);)*
        }

        const KINDS: &[Kind] = &[Kind::T5, Kind::AUTOENCODER, $(Kind::$kind,)*];
    };
}

family_table!(kinds);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title)
    }
}

impl Kind {
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
        KINDS.iter().rev().copied().find(|kind| kind.marks.iter().any(|name| holds(name)))
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
