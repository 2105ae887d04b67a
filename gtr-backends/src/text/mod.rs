//! Text encoders: from a prompt to the vectors that a model of texts attends to.
//!
//! A text encoder is needed once a prompt, before sampling: dropping it then gives its memory back.

mod encoder;
mod t5;

pub use self::encoder::{Prompt, TextEncoder};
pub use self::t5::{T5Config, T5Encoder};
