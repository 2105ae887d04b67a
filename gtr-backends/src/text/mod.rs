//! Text encoders: from a text to the vectors that a text-conditional model attends to.
//!
//! A text encoder runs once per prompt, before sampling. It can then be dropped to free its memory.

mod encoder;
mod t5;

pub use self::encoder::{Prompt, TextEncoder};
pub use self::t5::{T5Config, T5Encoder};
