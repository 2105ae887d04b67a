//! What a model must be able to do to be sampled: the one trait between schedules and tensors.

use std::fmt::Debug;

use crate::{Capability, Grid, ImageIndex, NoiseSource, TimestepLimit, Timesteps, TokenIndex};

/// The tokens that one AR step generates: the same number for every image of a batch, each image its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    per_image: usize,
    tokens: Vec<TokenIndex>,
}

impl Targets {
    /// Targets of a batch.
    ///
    /// # Shapes
    /// `images`: one list an image, all of the same length, at least one token each.
    ///
    /// # Panics
    /// If there is no image, a list is empty, or two lists differ in length: a plan makes none of these.
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

    /// Number of tokens of one image.
    pub fn per_image(&self) -> usize {
        self.per_image
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.tokens.len() / self.per_image
    }

    /// All tokens, image by image: the order of the rows of features and of token values.
    pub fn rows(&self) -> &[TokenIndex] {
        &self.tokens
    }

    /// The tokens of each image.
    pub fn by_image(&self) -> impl ExactSizeIterator<Item = &[TokenIndex]> {
        self.tokens.chunks_exact(self.per_image)
    }
}

/// Conditioning vectors in host memory, one row a target.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureRows {
    /// Length of a row.
    pub width: usize,
    /// The rows, one after the other.
    pub values: Vec<f32>,
}

/// One token to denoise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The image it belongs to; with `token` the address of its noise.
    pub image: ImageIndex,
    /// The token.
    pub token: TokenIndex,
    /// Which of [`Denoise::timesteps`] it walks.
    pub group: usize,
}

/// What the diffusion head is asked for: one row a target, in the order of [`Targets::rows`].
#[derive(Clone, Copy)]
pub struct Denoise<'a> {
    /// The groups of timesteps that occur in the step: one, or two under a detail rule.
    pub timesteps: &'a [Timesteps],
    /// The rows.
    pub rows: &'a [Row],
    /// Scale of classifier-free guidance; only looked at where the canvas is guided.
    pub guidance: f64,
    /// Factor of the noise that is added after each evaluation.
    pub temperature: f64,
    /// Where noise comes from.
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

/// A token value that is not a finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// Position of the image in its batch.
    pub slot: usize,
    /// The token.
    pub token: TokenIndex,
}

/// A masked image generator: an encoder and a decoder that condition, a diffusion head that draws token values.
///
/// # For implementors
/// - Write only the tokens that a call names.
/// - Take randomness from [`Denoise::noise`] alone, under the address that the row holds.
/// - The batch must not show: an image's values are the same bits alone and beside others, and a row's the same bits
///   whatever the other rows' step counts.
/// - No schedule is decided here: how many tokens, steps and which timesteps come from the caller.
///
/// # For callers
/// [`crate::sampler::Batch::run`] is the loop; nobody else needs to call these.
pub trait MaskedGenerator {
    /// What an image is asked for by: a class, a text.
    type Prompt: Clone;
    /// A batch of images of which some tokens are known.
    type Canvas;
    /// The conditioning vectors of a step's targets, `[rows, width]`.
    type Features;
    /// The values of a step's targets, `[rows, channels]`.
    type Tokens;
    /// A finished image.
    type Image: Clone;
    /// Why a call failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The token grid.
    fn grid(&self) -> Grid;

    /// The timesteps that the head was trained to be used with; a plan that names its own limit overrides it.
    fn timestep_limit(&self) -> TimestepLimit {
        TimestepLimit::NONE
    }

    /// What this model offers beyond the required calls.
    fn offers(&self) -> &[Capability] {
        &[]
    }

    /// Empty images, one a prompt. A guided canvas carries the unconditional half too.
    ///
    /// # Errors
    /// A prompt that the model does not know, or a failure of the device.
    fn canvas(&mut self, prompts: &[Self::Prompt], guided: bool) -> Result<Self::Canvas, Self::Error>;

    /// Encoder and decoder: the conditioning vectors of the targets, given the tokens that are known.
    ///
    /// # Errors
    /// A failure of the device.
    fn features(&mut self, canvas: &Self::Canvas, targets: &Targets) -> Result<Self::Features, Self::Error>;

    /// The conditional half of the features, as the head gets it. Called only where a detail rule asks, and only of a
    /// model that offers [`Capability::HostFeatures`].
    ///
    /// # Errors
    /// A failure of the device.
    fn host_features(&self, features: &Self::Features) -> Result<FeatureRows, Self::Error>;

    /// The diffusion head: draws the value of each row.
    ///
    /// # Errors
    /// A failure of the device.
    fn denoise(&mut self, features: &Self::Features, request: &Denoise<'_>) -> Result<Self::Tokens, Self::Error>;

    /// Writes the drawn values: the targets are known from here on.
    ///
    /// # Errors
    /// A failure of the device.
    fn commit(&mut self, canvas: &mut Self::Canvas, targets: &Targets, tokens: Self::Tokens)
    -> Result<(), Self::Error>;

    /// Whether a token of the image in a slot of the batch is known: was committed. The laws of models ask, to see that nothing
    /// else than the targets of a step became known (`gtr_core::laws::generator`, with the feature `testing`).
    fn is_known(&self, canvas: &Self::Canvas, slot: usize, token: TokenIndex) -> bool;

    /// Whether token values lie in host memory, so that looking at them after every step costs nothing. Otherwise the loop
    /// looks once, before decoding.
    fn values_on_host(&self) -> bool {
        true
    }

    /// The first known token whose value is not finite, if there is one.
    ///
    /// # Errors
    /// A failure of the device.
    fn find_non_finite(&self, canvas: &Self::Canvas) -> Result<Option<NonFinite>, Self::Error>;

    /// Token values to pixels.
    ///
    /// # Errors
    /// A failure of the device.
    fn decode(&mut self, canvas: Self::Canvas) -> Result<Vec<Self::Image>, Self::Error>;

    /// Pixels to token values, the inverse of decoding: what the targets' tokens are in `images`, one of them for each image
    /// of the targets. Called only of a model that offers [`Capability::Encoding`]; others have nothing to give.
    ///
    /// # Errors
    /// An image that is not of the model's size, or a failure of the device.
    fn encode(&mut self, images: &[Self::Image], targets: &Targets) -> Result<Option<Self::Tokens>, Self::Error> {
        let _ = (images, targets);
        Ok(None)
    }

    /// Pixels of images of which tokens are still unknown, those in neutral grey, for who looks on; `None` if the model
    /// shows only finished images.
    ///
    /// # Errors
    /// A failure of the device.
    fn preview(&self, canvas: &Self::Canvas) -> Result<Option<Vec<Self::Image>>, Self::Error> {
        let _ = canvas;
        Ok(None)
    }
}
