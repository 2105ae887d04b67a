//! Inputs of prompts, independent of the model family.

use candle_core::Tensor;

/// Input of a prompt. [`Model::prompt`](crate::Model::prompt) converts it to the prompt of a model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PromptInput {
    /// A class, counted from 0.
    Class(u32),
    /// Last hidden state of the text encoder, `[text length, caption channels]`.
    Text(Tensor),
    /// Random vectors, seeded by a text, to test a model without a text encoder.
    RandomText(String),
    /// Output of the text aligner of the model, `[text length, width]`. Traces record this form.
    EmbeddedText(Tensor),
}

impl PromptInput {
    /// Kind of prompt, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Class(_) => "classes",
            Self::Text(_) | Self::RandomText(_) | Self::EmbeddedText(_) => "texts",
        }
    }
}
