//! The trait that a model implements to be sampled.

mod extensions;
mod head;
mod provided;
mod step_context;
mod targets;

pub use extensions::{BoxPreviewer, FeatureReader, FeatureRows, ImageEncoder, Previewer, TokenRanker};
pub use head::{Denoise, HeadKind, HeadRow, HeadVariance};
pub use step_context::StepContext;
pub use targets::Targets;

use crate::{Grid, TokenIndex};

/// Location of a token value that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// Index of the image in its batch.
    pub slot: usize,
    /// The token.
    pub token: TokenIndex,
}

/// A masked image generator: an encoder and a decoder compute conditioning vectors, and a diffusion head samples token
/// values.
///
/// # For implementors
/// - Write only the targets of a call.
/// - Take all randomness from [`Denoise::noise`], at the address of the row.
/// - The values of an image must have the same bits in any batch, and the values of a row the same bits for any step
///   counts of the other rows.
/// - The caller determines the number of tokens, the diffusion steps and the timesteps.
/// - Optional abilities are traits of their own: [`FeatureReader`], [`TokenRanker`], [`ImageEncoder`] and [`Previewer`]. A
///   model that has one implements the trait and returns `Some(self)` from the method here; by default it is `None`. A plan
///   that requires more than the model has is refused ([`Capability::is_provided_by`](crate::Capability::is_provided_by)).
///
/// # For callers
/// [`crate::sampler::Batch::run`] is the sampling loop. Other code does not need to call these methods.
pub trait MaskedGenerator {
    /// Prompt of an image, for example a class or a text.
    type Prompt: Clone;
    /// State of a batch of images: token values and the set of known tokens.
    type Canvas;
    /// Conditioning vectors of the targets of a step, `[rows, width]`.
    type Features;
    /// Values of the targets of a step, `[rows, channels]`.
    type Tokens;
    /// A finished image.
    type Image: Clone;
    /// Error of a call.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns the token grid.
    fn grid(&self) -> Grid;

    /// Returns the kind of the network that draws token values.
    fn head_kind(&self) -> HeadKind;

    /// Creates a canvas without known tokens, one image per prompt. If `guided`, the canvas includes the unconditional
    /// half.
    ///
    /// # Errors
    /// Returns an error if a prompt is invalid for the model or the device fails.
    fn canvas(&mut self, prompts: &[Self::Prompt], guided: bool) -> Result<Self::Canvas, Self::Error>;

    /// Runs encoder and decoder: computes the conditioning vectors of the targets from the known tokens. In a ranked stage,
    /// the targets are all unknown tokens of the stage, and only some of them are committed.
    ///
    /// The unconditional half is needed only if the step is guided. Token values and the set of known tokens do not
    /// change; the canvas is mutable so that it can hold what later steps take from this one.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn features(
        &mut self,
        canvas: &mut Self::Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Self::Features, Self::Error>;

    /// Runs the diffusion head: samples the value of each row.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn denoise(&mut self, features: &Self::Features, request: &Denoise<'_>) -> Result<Self::Tokens, Self::Error>;

    /// Writes the values of the targets. The targets are known from then on.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn commit(&mut self, canvas: &mut Self::Canvas, targets: &Targets, tokens: Self::Tokens)
    -> Result<(), Self::Error>;

    /// Returns true if a token of the image at index `slot` of the batch is known, that is, was committed.
    /// `gtr_core::laws::generator` (feature `testing`) uses it to check that each step commits only its targets.
    fn is_known(&self, canvas: &Self::Canvas, slot: usize, token: TokenIndex) -> bool;

    /// Returns true if token values are in host memory. The loop then checks after every step that they are finite;
    /// otherwise it checks once, before decoding.
    fn values_on_host(&self) -> bool {
        true
    }

    /// Returns the first known token whose value is not finite, or `None`. Models whose values are always finite, for
    /// example codes, do not implement it.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn find_non_finite(&self, canvas: &Self::Canvas) -> Result<Option<NonFinite>, Self::Error> {
        let _ = canvas;
        Ok(None)
    }

    /// Decodes token values to images.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn decode(&mut self, canvas: Self::Canvas) -> Result<Vec<Self::Image>, Self::Error>;

    /// Returns the ability to copy conditioning vectors to host memory. Some detail rules rank tokens by them.
    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = Self::Features, Error = Self::Error>> {
        None
    }

    /// Returns the ability to rank drawn tokens. Orders that are decided while sampling require it.
    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = Self::Tokens, Error = Self::Error>> {
        None
    }

    /// Returns the ability to encode images. Plans with known tokens require it.
    fn image_encoder(
        &self,
    ) -> Option<&dyn ImageEncoder<Image = Self::Image, Tokens = Self::Tokens, Error = Self::Error>> {
        None
    }

    /// Returns the ability to decode unfinished images. It is boxed, so that a wrapper with another canvas can return an
    /// adapter; a model returns `Some(Box::new(self))`.
    fn previewer(&self) -> Option<BoxPreviewer<'_, Self::Canvas, Self::Image, Self::Error>> {
        None
    }

    /// Returns true if [`MaskedGenerator::features`] and [`MaskedGenerator::denoise`] follow [`StepContext::reuse`].
    fn reuses(&self) -> bool {
        false
    }
}
