//! The trait that a model implements to be sampled.

use std::fmt::Debug;

use crate::{Capability, Grid, ImageIndex, NoiseSource, Role, Solver, StepReuse, TimestepLimit, Timesteps, TokenIndex};

/// The tokens that one AR step generates, or that it draws to keep some of them. The number is the same for all images of a batch; the tokens may differ.
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
#[derive(Clone, Debug, Default, PartialEq)]
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

/// The AR step that a model computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepContext {
    /// Index of the step in the plan, from 0.
    pub index: usize,
    /// Number of AR steps of the plan.
    pub steps: usize,
    /// Number of tokens of the grid.
    pub tokens: usize,
    /// Number of tokens that are known before the step.
    pub known: usize,
    /// Role of the step's stage.
    pub role: Role,
    /// Scale of classifier-free guidance; exactly 1 if the step is not guided.
    pub guidance: f64,
    /// Factor of the noise that updates of a token add.
    pub temperature: f64,
    /// What the step takes from earlier steps; `None` if it takes nothing and keeps nothing.
    pub reuse: Option<StepReuse>,
}

impl StepContext {
    /// Returns the context of an unguided step of a run, of which only the number of tokens of the grid and the number of
    /// known tokens are given.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::StepContext;
    /// let step = StepContext { guidance: 3.0, ..StepContext::single(64, 10) };
    /// assert!(step.is_guided());
    /// assert_eq!((step.index, step.steps, step.temperature), (0, 1, 1.0));
    /// ```
    pub fn single(tokens: usize, known: usize) -> Self {
        let role = Role::Generation;
        Self { index: 0, steps: 1, tokens, known, role, guidance: 1.0, temperature: 1.0, reuse: None }
    }

    /// Returns true if the unconditional half is needed.
    #[expect(clippy::float_cmp, reason = "the sampling loop sets exactly 1")]
    pub fn is_guided(&self) -> bool {
        self.guidance != 1.0
    }
}

/// The network that draws the value of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadKind {
    /// A diffusion head: predicts noise at a timestep.
    Diffusion {
        /// Timesteps that the head is meant to be evaluated at. A limit in the plan overrides it.
        timesteps: TimestepLimit,
    },
    /// A flow-matching head: predicts the velocity at time (timestep + 1) / 1000, where 1 is noise.
    Flow {
        /// Timesteps that the head is meant to be evaluated at. A limit in the plan overrides it.
        timesteps: TimestepLimit,
    },
    /// A categorical head: draws a code from a distribution, in one evaluation. The plan must have one diffusion step in
    /// every AR step; its solver has no meaning.
    Categorical {
        /// Number of codes.
        vocabulary: usize,
    },
}

impl HeadKind {
    /// A diffusion head without a limit.
    pub const DIFFUSION: Self = Self::Diffusion { timesteps: TimestepLimit::NONE };

    /// Returns the limit of the timesteps.
    pub fn timesteps(self) -> TimestepLimit {
        match self {
            Self::Diffusion { timesteps } | Self::Flow { timesteps } => timesteps,
            Self::Categorical { .. } => TimestepLimit::NONE,
        }
    }
}

/// Input of the diffusion head: one row per target, in the order of [`Targets::rows`].
#[derive(Clone, Copy)]
pub struct Denoise<'a> {
    /// Timesteps of each group of rows: one group, or two if a detail rule picks tokens.
    pub timesteps: &'a [Timesteps],
    /// The rows.
    pub rows: &'a [HeadRow],
    /// The AR step. Its guidance, temperature and [`StepReuse::head`] apply to the head.
    pub step: &'a StepContext,
    /// Updates a token from one timestep to the next.
    pub solver: &'a dyn Solver,
    /// Source of all noise.
    pub noise: &'a dyn NoiseSource,
}

impl Debug for Denoise<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denoise")
            .field("timesteps", &self.timesteps)
            .field("rows", &self.rows)
            .field("step", &self.step)
            .field("solver", &self.solver)
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

    /// Returns the kind of the network that draws token values.
    fn head_kind(&self) -> HeadKind;

    /// Returns the highest timestep that the head is meant to be evaluated at, that of [`MaskedGenerator::head_kind`].
    fn timestep_limit(&self) -> TimestepLimit {
        self.head_kind().timesteps()
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

    /// Copies the conditional half of the features, as passed to the head, to host memory. Called only if a detail rule
    /// requires it and the model provides [`Capability::HostFeatures`].
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn host_features(&self, features: &Self::Features) -> Result<FeatureRows, Self::Error> {
        let _ = features;
        Ok(FeatureRows::default())
    }

    /// Runs the diffusion head: samples the value of each row.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn denoise(&mut self, features: &Self::Features, request: &Denoise<'_>) -> Result<Self::Tokens, Self::Error>;

    /// Returns how confident the model is of each row, for example the logarithm of the probability of the drawn code.
    /// Higher is better; infinite values are allowed. Called only in ranked stages, which require
    /// [`Capability::Confidence`]; other models return `None`.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn confidence(&self, tokens: &Self::Tokens) -> Result<Option<Vec<f32>>, Self::Error> {
        let _ = tokens;
        Ok(None)
    }

    /// Selects rows, which ascend and are not empty; drops all others. The rows that are left keep their values and their
    /// [confidences](MaskedGenerator::confidence). Called only in ranked stages, which require
    /// [`Capability::Confidence`]; other models return `None`.
    ///
    /// # Errors
    /// Returns an error if the device fails.
    fn keep(&mut self, tokens: Self::Tokens, rows: &[usize]) -> Result<Option<Self::Tokens>, Self::Error> {
        let _ = (tokens, rows);
        Ok(None)
    }

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
