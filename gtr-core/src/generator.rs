//! The trait that a model implements to be sampled.

use std::fmt::Debug;

use crate::{Capability, Grid, ImageIndex, NoiseSource, TimestepLimit, Timesteps, TokenIndex};

/// The tokens that one AR step generates. The number is the same for all images of a batch; the tokens may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    per_image: usize,
    tokens: Vec<TokenIndex>,
}

impl Targets {
    /// Creates the targets of a batch.
    ///
    /// # Shapes
    /// `images`: one list per image, all of the same length, with at least one token each.
    ///
    /// # Panics
    /// Panics if there is no image, a list is empty, or two lists differ in length. A plan never causes this.
    pub fn new<'a>(images: impl IntoIterator<Item = &'a [TokenIndex]>) -> Self {
        let mut images = images.into_iter();
        let first = images.next().expect("a batch has at least one image");
        assert!(!first.is_empty(), "an AR step generates at least one token");
        let mut tokens = first.to_vec();
        for image in images {
            assert_eq!(image.len(), first.len(), "all images of a batch follow the same plan");
            tokens.extend_from_slice(image);
        }
        Self { per_image: first.len(), tokens }
    }

    /// Returns the number of tokens per image.
    pub fn per_image(&self) -> usize {
        self.per_image
    }

    /// Returns the number of images.
    pub fn images(&self) -> usize {
        self.tokens.len() / self.per_image
    }

    /// Returns all tokens, image by image. Rows of features and token values have the same order.
    pub fn rows(&self) -> &[TokenIndex] {
        &self.tokens
    }

    /// Returns an iterator over the tokens of each image.
    pub fn by_image(&self) -> impl ExactSizeIterator<Item = &[TokenIndex]> {
        self.tokens.chunks_exact(self.per_image)
    }
}

/// Conditioning vectors in host memory, one row per target.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureRows {
    /// Length of a row.
    pub width: usize,
    /// Values, `[rows, width]`.
    pub values: Vec<f32>,
}

/// One token to denoise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// Image that contains the token. `image` and `token` are the address of the row's noise.
    pub image: ImageIndex,
    /// The token.
    pub token: TokenIndex,
    /// Index into [`Denoise::timesteps`] of the timesteps of this row.
    pub group: usize,
}

/// Input of the diffusion head: one row per target, in the order of [`Targets::rows`].
#[derive(Clone, Copy)]
pub struct Denoise<'a> {
    /// Timesteps of each group of rows: one group, or two if a detail rule picks tokens.
    pub timesteps: &'a [Timesteps],
    /// The rows.
    pub rows: &'a [HeadRow],
    /// Scale of classifier-free guidance; ignored if the canvas is not guided.
    pub guidance: f64,
    /// Factor of the noise that is added after each evaluation.
    pub temperature: f64,
    /// Source of all noise.
    pub noise: &'a dyn NoiseSource,
}

impl Debug for Denoise<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denoise")
            .field("timesteps", &self.timesteps)
            .field("rows", &self.rows)
            .field("guidance", &self.guidance)
            .field("temperature", &self.temperature)
            .finish_non_exhaustive()
    }
}

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

    /// Returns the highest timestep that the head is meant to be evaluated at. A limit in the plan overrides it.
    fn timestep_limit(&self) -> TimestepLimit {
        TimestepLimit::NONE
    }

    /// Returns the optional capabilities that the model provides.
    fn capabilities(&self) -> &[Capability] {
        &[]
    }

    /// Creates a canvas without known tokens, one image per prompt. If `guided`, the canvas includes the unconditional
    /// half.
    ///
    /// # Errors
    /// Returns an error if a prompt is invalid for the model or the device fails.
    fn canvas(&mut self, prompts: &[Self::Prompt], guided: bool) -> Result<Self::Canvas, Self::Error>;

    /// Runs encoder and decoder: computes the conditioning vectors of the targets from the known tokens.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn features(&mut self, canvas: &Self::Canvas, targets: &Targets) -> Result<Self::Features, Self::Error>;

    /// Copies the conditional half of the features, as passed to the head, to host memory. Called only if a detail rule
    /// requires it and the model provides [`Capability::HostFeatures`].
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn host_features(&self, features: &Self::Features) -> Result<FeatureRows, Self::Error>;

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

    /// Returns the first known token whose value is not finite, or `None`.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn find_non_finite(&self, canvas: &Self::Canvas) -> Result<Option<NonFinite>, Self::Error>;

    /// Decodes token values to images.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn decode(&mut self, canvas: Self::Canvas) -> Result<Vec<Self::Image>, Self::Error>;

    /// Encodes images, the inverse of decoding: returns the values of the targets. `images` has one element per image
    /// of the targets. Called only if the model provides [`Capability::Encoding`]; other models return `None`.
    ///
    /// # Errors
    /// Returns an error if an image has the wrong size or the device fails.
    fn encode(&mut self, images: &[Self::Image], targets: &Targets) -> Result<Option<Self::Tokens>, Self::Error> {
        let _ = (images, targets);
        Ok(None)
    }

    /// Decodes unfinished images for an observer, with unknown tokens in neutral grey. Returns `None` if the model does
    /// not support previews.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn preview(&self, canvas: &Self::Canvas) -> Result<Option<Vec<Self::Image>>, Self::Error> {
        let _ = canvas;
        Ok(None)
    }
}
