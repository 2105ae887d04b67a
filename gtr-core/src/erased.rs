//! Type-erased models, for callers that are not generic over the model.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::{
    BoxPreviewer, Denoise, FeatureReader, Grid, HeadKind, ImageEncoder, MaskedGenerator, NonFinite, Previewer,
    StepContext, Targets, TokenIndex, TokenRanker,
};

/// Error for a prompt or a canvas that was created by a model of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} was created by a model of another family")]
pub struct Foreign {
    /// `prompt` or `canvas`.
    pub what: &'static str,
}

/// A type-erased prompt. Cloning is cheap.
#[derive(Clone)]
pub struct AnyPrompt(Arc<dyn Any + Send + Sync>);

impl AnyPrompt {
    /// Erases the type of a prompt.
    pub fn new(prompt: impl Any + Send + Sync) -> Self {
        Self(Arc::new(prompt))
    }

    /// Returns the prompt if it has type `P`.
    pub fn get<P: Any>(&self) -> Option<&P> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for AnyPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyPrompt").finish_non_exhaustive()
    }
}

/// A type-erased canvas.
pub struct AnyCanvas(Box<dyn Any + Send>);

impl AnyCanvas {
    /// Returns the canvas if it has type `C`.
    pub fn get<C: Any>(&self) -> Option<&C> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for AnyCanvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCanvas").finish_non_exhaustive()
    }
}

/// Object-safe form of [`MaskedGenerator`], with type-erased prompts and canvases. It is implemented for every
/// generator whose error type implements `From<Foreign>`. [`AnyGenerator`] converts it back to a [`MaskedGenerator`].
///
/// Each method corresponds to the method of the same name of [`MaskedGenerator`].
#[expect(missing_docs, clippy::missing_errors_doc, reason = "as in `MaskedGenerator`")]
pub trait ErasedGenerator {
    type Features;
    type Tokens;
    type Image: Clone;
    type Error: std::error::Error + Send + Sync + 'static;

    fn grid(&self) -> Grid;
    fn head_kind(&self) -> HeadKind;
    fn canvas(&mut self, prompts: &[AnyPrompt], guided: bool) -> Result<AnyCanvas, Self::Error>;
    fn features(
        &mut self,
        canvas: &mut AnyCanvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Self::Features, Self::Error>;
    fn denoise(&mut self, features: &Self::Features, request: &Denoise<'_>) -> Result<Self::Tokens, Self::Error>;
    fn commit(&mut self, canvas: &mut AnyCanvas, targets: &Targets, tokens: Self::Tokens) -> Result<(), Self::Error>;
    fn is_known(&self, canvas: &AnyCanvas, slot: usize, token: TokenIndex) -> bool;
    fn values_on_host(&self) -> bool;
    fn find_non_finite(&self, canvas: &AnyCanvas) -> Result<Option<NonFinite>, Self::Error>;
    fn decode(&mut self, canvas: AnyCanvas) -> Result<Vec<Self::Image>, Self::Error>;
    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = Self::Features, Error = Self::Error>>;
    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = Self::Tokens, Error = Self::Error>>;
    fn image_encoder(
        &self,
    ) -> Option<&dyn ImageEncoder<Image = Self::Image, Tokens = Self::Tokens, Error = Self::Error>>;
    fn previewer(&self) -> Option<BoxPreviewer<'_, AnyCanvas, Self::Image, Self::Error>>;
    fn reuses(&self) -> bool;
}

fn own<C: Any>(canvas: &AnyCanvas) -> Result<&C, Foreign> {
    canvas.get().ok_or(Foreign { what: "canvas" })
}

fn own_mut<C: Any>(canvas: &mut AnyCanvas) -> Result<&mut C, Foreign> {
    canvas.0.downcast_mut().ok_or(Foreign { what: "canvas" })
}

impl<G> ErasedGenerator for G
where
    G: MaskedGenerator,
    G::Prompt: Any + Clone,
    G::Canvas: Any + Send,
    G::Error: From<Foreign>,
{
    type Features = G::Features;
    type Tokens = G::Tokens;
    type Image = G::Image;
    type Error = G::Error;

    fn grid(&self) -> Grid {
        MaskedGenerator::grid(self)
    }

    fn head_kind(&self) -> HeadKind {
        MaskedGenerator::head_kind(self)
    }

    fn canvas(&mut self, prompts: &[AnyPrompt], guided: bool) -> Result<AnyCanvas, G::Error> {
        let own = |prompt: &AnyPrompt| prompt.get::<G::Prompt>().cloned().ok_or(Foreign { what: "prompt" });
        let prompts = prompts.iter().map(own).collect::<Result<Vec<_>, _>>()?;
        Ok(AnyCanvas(Box::new(MaskedGenerator::canvas(self, &prompts, guided)?)))
    }

    fn features(
        &mut self,
        canvas: &mut AnyCanvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<G::Features, G::Error> {
        MaskedGenerator::features(self, own_mut(canvas)?, targets, step)
    }

    fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, G::Error> {
        MaskedGenerator::denoise(self, features, request)
    }

    fn commit(&mut self, canvas: &mut AnyCanvas, targets: &Targets, tokens: G::Tokens) -> Result<(), G::Error> {
        MaskedGenerator::commit(self, own_mut(canvas)?, targets, tokens)
    }

    fn is_known(&self, canvas: &AnyCanvas, slot: usize, token: TokenIndex) -> bool {
        canvas.get().is_some_and(|canvas| MaskedGenerator::is_known(self, canvas, slot, token))
    }

    fn values_on_host(&self) -> bool {
        MaskedGenerator::values_on_host(self)
    }

    fn find_non_finite(&self, canvas: &AnyCanvas) -> Result<Option<NonFinite>, G::Error> {
        MaskedGenerator::find_non_finite(self, own(canvas)?)
    }

    fn decode(&mut self, canvas: AnyCanvas) -> Result<Vec<G::Image>, G::Error> {
        let canvas = canvas.0.downcast().map_err(|_| Foreign { what: "canvas" })?;
        MaskedGenerator::decode(self, *canvas)
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = G::Features, Error = G::Error>> {
        MaskedGenerator::feature_reader(self)
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = G::Tokens, Error = G::Error>> {
        MaskedGenerator::token_ranker(self)
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = G::Image, Tokens = G::Tokens, Error = G::Error>> {
        MaskedGenerator::image_encoder(self)
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, AnyCanvas, G::Image, G::Error>> {
        Some(Box::new(OwnCanvas(MaskedGenerator::previewer(self)?)))
    }

    fn reuses(&self) -> bool {
        MaskedGenerator::reuses(self)
    }
}

/// A previewer of erased canvases.
struct OwnCanvas<P>(P);

impl<P: Previewer> Previewer for OwnCanvas<P>
where
    P::Canvas: Any,
    P::Error: From<Foreign>,
{
    type Canvas = AnyCanvas;
    type Image = P::Image;
    type Error = P::Error;

    fn preview(&self, canvas: &AnyCanvas) -> Result<Vec<P::Image>, P::Error> {
        self.0.preview(own(canvas)?)
    }
}

/// A type-erased generator. It has the same output bits and abilities as the generator inside.
///
/// `D` is `dyn ErasedGenerator<..>`, or the trait object of a subtrait, whose methods are available through `Deref`.
///
/// # Examples
/// ```
/// use gtr_core::erased::{AnyGenerator, ErasedGenerator, Foreign};
/// use gtr_core::{Grid, MaskedGenerator};
///
/// type Model<F, T, I> = AnyGenerator<dyn ErasedGenerator<Features = F, Tokens = T, Image = I, Error = Foreign>>;
///
/// fn grids<F, T, I: Clone>(models: &[Model<F, T, I>]) -> Vec<Grid> {
///     models.iter().map(MaskedGenerator::grid).collect()
/// }
/// ```
pub struct AnyGenerator<D: ?Sized>(Box<D>);

impl<D: ?Sized> AnyGenerator<D> {
    /// Wraps a boxed generator.
    pub fn new(generator: Box<D>) -> Self {
        Self(generator)
    }
}

impl<D: ?Sized> Deref for AnyGenerator<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.0
    }
}

impl<D: ?Sized> DerefMut for AnyGenerator<D> {
    fn deref_mut(&mut self) -> &mut D {
        &mut self.0
    }
}

impl<D: fmt::Debug + ?Sized> fmt::Debug for AnyGenerator<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<D: ErasedGenerator + ?Sized> MaskedGenerator for AnyGenerator<D> {
    type Prompt = AnyPrompt;
    type Canvas = AnyCanvas;
    type Features = D::Features;
    type Tokens = D::Tokens;
    type Image = D::Image;
    type Error = D::Error;

    fn grid(&self) -> Grid {
        self.0.grid()
    }

    fn head_kind(&self) -> HeadKind {
        self.0.head_kind()
    }

    fn canvas(&mut self, prompts: &[AnyPrompt], guided: bool) -> Result<AnyCanvas, D::Error> {
        self.0.canvas(prompts, guided)
    }

    fn features(
        &mut self,
        canvas: &mut AnyCanvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<D::Features, D::Error> {
        self.0.features(canvas, targets, step)
    }

    fn denoise(&mut self, features: &D::Features, request: &Denoise<'_>) -> Result<D::Tokens, D::Error> {
        self.0.denoise(features, request)
    }

    fn commit(&mut self, canvas: &mut AnyCanvas, targets: &Targets, tokens: D::Tokens) -> Result<(), D::Error> {
        self.0.commit(canvas, targets, tokens)
    }

    fn is_known(&self, canvas: &AnyCanvas, slot: usize, token: TokenIndex) -> bool {
        self.0.is_known(canvas, slot, token)
    }

    fn values_on_host(&self) -> bool {
        self.0.values_on_host()
    }

    fn find_non_finite(&self, canvas: &AnyCanvas) -> Result<Option<NonFinite>, D::Error> {
        self.0.find_non_finite(canvas)
    }

    fn decode(&mut self, canvas: AnyCanvas) -> Result<Vec<D::Image>, D::Error> {
        self.0.decode(canvas)
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = D::Features, Error = D::Error>> {
        self.0.feature_reader()
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = D::Tokens, Error = D::Error>> {
        self.0.token_ranker()
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = D::Image, Tokens = D::Tokens, Error = D::Error>> {
        self.0.image_encoder()
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, AnyCanvas, D::Image, D::Error>> {
        self.0.previewer()
    }

    fn reuses(&self) -> bool {
        self.0.reuses()
    }
}
