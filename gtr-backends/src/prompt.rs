//! What an image is asked for by, in a form that every family of models takes.

use candle_core::Tensor;

/// What an image is asked for by. A model makes its own prompt of it: [`Model::prompt`](crate::Model::prompt).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PromptInput {
    /// A class, counted from 0.
    Class(u32),
    /// The last hidden state of the text encoder, `[text length, caption channels]`.
    Text(Tensor),
    /// A text whose vectors are drawn from its letters, to try a model without a text encoder.
    RandomText(String),
    /// The vectors of a text as the model looks at them, `[text length, width]`; this is what a trace records.
    EmbeddedText(Tensor),
}

impl PromptInput {
    /// The kind, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Class(_) => "classes",
            Self::Text(_) | Self::RandomText(_) | Self::EmbeddedText(_) => "texts",
        }
    }
}
