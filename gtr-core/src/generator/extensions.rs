//! Optional abilities of a model, one trait each.
//!
//! A model that has an ability implements the trait and returns itself from the method of
//! [`MaskedGenerator`](super::MaskedGenerator). The caller has the ability or has `None`, so no method of these traits can
//! be missing. A wrapper around a model returns what the model inside returns.

use super::Targets;

/// Conditioning vectors in host memory, one row per target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureRows {
    /// Length of a row.
    pub width: usize,
    /// Values, `[rows, width]`.
    pub values: Vec<f32>,
}

/// Copies conditioning vectors to host memory ([`Capability::HostFeatures`](crate::Capability::HostFeatures)).
pub trait FeatureReader {
    /// [`MaskedGenerator::Features`](super::MaskedGenerator::Features).
    type Features;
    /// Error of a call.
    type Error;

    /// Returns the conditional half of the features, as passed to the head.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn host_features(&self, features: &Self::Features) -> Result<FeatureRows, Self::Error>;

    /// Returns the number of values of a draw of noise, if a device is still computing the features when
    /// [`MaskedGenerator::features`](super::MaskedGenerator::features) returns. The sampling loop then draws noise before it
    /// calls [`FeatureReader::host_features`], which waits for the device. The values are the same.
    fn draws_while_computing(&self) -> Option<usize> {
        None
    }
}

/// Ranks drawn tokens and drops some of them ([`Capability::Confidence`](crate::Capability::Confidence)). Ranked stages
/// keep the drawn tokens with the highest confidence plus noise.
pub trait TokenRanker {
    /// [`MaskedGenerator::Tokens`](super::MaskedGenerator::Tokens).
    type Tokens;
    /// Error of a call.
    type Error;

    /// Returns how confident the model is of each row, for example the logarithm of the probability of the drawn code.
    /// Higher is better; infinite values are allowed.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn confidence(&self, tokens: &Self::Tokens) -> Result<Vec<f32>, Self::Error>;

    /// Selects rows, which ascend and are not empty; drops all others. The rows that are left keep their values and their
    /// [confidences](TokenRanker::confidence).
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn keep(&self, tokens: Self::Tokens, rows: &[usize]) -> Result<Self::Tokens, Self::Error>;
}

/// Encodes images as token values, the inverse of decoding ([`Capability::Encoding`](crate::Capability::Encoding)).
pub trait ImageEncoder {
    /// [`MaskedGenerator::Image`](super::MaskedGenerator::Image).
    type Image;
    /// [`MaskedGenerator::Tokens`](super::MaskedGenerator::Tokens).
    type Tokens;
    /// Error of a call.
    type Error;

    /// Returns the values of the targets. `images` has one element per image of the targets.
    ///
    /// # Errors
    /// Returns an error if an image has the wrong size or the device fails.
    fn encode(&self, images: &[Self::Image], targets: &Targets) -> Result<Self::Tokens, Self::Error>;
}

/// Decodes unfinished images, for observers.
pub trait Previewer {
    /// [`MaskedGenerator::Canvas`](super::MaskedGenerator::Canvas).
    type Canvas;
    /// [`MaskedGenerator::Image`](super::MaskedGenerator::Image).
    type Image;
    /// Error of a call.
    type Error;

    /// Returns the images of a canvas, with unknown tokens in neutral grey.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn preview(&self, canvas: &Self::Canvas) -> Result<Vec<Self::Image>, Self::Error>;
}

/// A boxed [`Previewer`] of canvases `C` as images `I`.
pub type BoxPreviewer<'a, C, I, E> = Box<dyn Previewer<Canvas = C, Image = I, Error = E> + 'a>;

/// So that a model can return a boxed reference to itself.
impl<P: Previewer + ?Sized> Previewer for &P {
    type Canvas = P::Canvas;
    type Image = P::Image;
    type Error = P::Error;

    fn preview(&self, canvas: &P::Canvas) -> Result<Vec<P::Image>, P::Error> {
        (**self).preview(canvas)
    }
}

impl<P: Previewer + ?Sized> Previewer for Box<P> {
    type Canvas = P::Canvas;
    type Image = P::Image;
    type Error = P::Error;

    fn preview(&self, canvas: &P::Canvas) -> Result<Vec<P::Image>, P::Error> {
        (**self).preview(canvas)
    }
}
