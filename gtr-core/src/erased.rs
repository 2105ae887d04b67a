//! Type-erased models, for callers that are not generic over the model.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::{
    Capability, Denoise, FeatureRows, Grid, HeadKind, MaskedGenerator, NonFinite, StepContext, Targets, TokenIndex,
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
    fn capabilities(&self) -> &[Capability];
    fn canvas(&mut self, prompts: &[AnyPrompt], guided: bool) -> Result<AnyCanvas, Self::Error>;
    fn features(
        &mut self,
        canvas: &mut AnyCanvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Self::Features, Self::Error>;
    fn host_features(&self, features: &Self::Features) -> Result<FeatureRows, Self::Error>;
    fn denoise(&mut self, features: &Self::Features, request: &Denoise<'_>) -> Result<Self::Tokens, Self::Error>;
    fn confidence(&self, tokens: &Self::Tokens) -> Result<Option<Vec<f32>>, Self::Error>;
    fn keep(&mut self, tokens: Self::Tokens, rows: &[usize]) -> Result<Option<Self::Tokens>, Self::Error>;
    fn commit(&mut self, canvas: &mut AnyCanvas, targets: &Targets, tokens: Self::Tokens) -> Result<(), Self::Error>;
    fn is_known(&self, canvas: &AnyCanvas, slot: usize, token: TokenIndex) -> bool;
    fn values_on_host(&self) -> bool;
    fn find_non_finite(&self, canvas: &AnyCanvas) -> Result<Option<NonFinite>, Self::Error>;
    fn decode(&mut self, canvas: AnyCanvas) -> Result<Vec<Self::Image>, Self::Error>;
    fn encode(&mut self, images: &[Self::Image], targets: &Targets) -> Result<Option<Self::Tokens>, Self::Error>;
    fn preview(&self, canvas: &AnyCanvas) -> Result<Option<Vec<Self::Image>>, Self::Error>;
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

    fn capabilities(&self) -> &[Capability] {
        MaskedGenerator::capabilities(self)
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

    fn host_features(&self, features: &G::Features) -> Result<FeatureRows, G::Error> {
        MaskedGenerator::host_features(self, features)
    }

    fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, G::Error> {
        MaskedGenerator::denoise(self, features, request)
    }

    fn confidence(&self, tokens: &G::Tokens) -> Result<Option<Vec<f32>>, G::Error> {
        MaskedGenerator::confidence(self, tokens)
    }

    fn keep(&mut self, tokens: G::Tokens, rows: &[usize]) -> Result<Option<G::Tokens>, G::Error> {
        MaskedGenerator::keep(self, tokens, rows)
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

    fn encode(&mut self, images: &[G::Image], targets: &Targets) -> Result<Option<G::Tokens>, G::Error> {
        MaskedGenerator::encode(self, images, targets)
    }

    fn preview(&self, canvas: &AnyCanvas) -> Result<Option<Vec<G::Image>>, G::Error> {
        MaskedGenerator::preview(self, own(canvas)?)
    }
}

/// A type-erased generator. It has the same output bits and [`Capability`]s as the generator inside.
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

    fn capabilities(&self) -> &[Capability] {
        self.0.capabilities()
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

    fn host_features(&self, features: &D::Features) -> Result<FeatureRows, D::Error> {
        self.0.host_features(features)
    }

    fn denoise(&mut self, features: &D::Features, request: &Denoise<'_>) -> Result<D::Tokens, D::Error> {
        self.0.denoise(features, request)
    }

    fn confidence(&self, tokens: &D::Tokens) -> Result<Option<Vec<f32>>, D::Error> {
        self.0.confidence(tokens)
    }

    fn keep(&mut self, tokens: D::Tokens, rows: &[usize]) -> Result<Option<D::Tokens>, D::Error> {
        self.0.keep(tokens, rows)
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

    fn encode(&mut self, images: &[D::Image], targets: &Targets) -> Result<Option<D::Tokens>, D::Error> {
        self.0.encode(images, targets)
    }

    fn preview(&self, canvas: &AnyCanvas) -> Result<Option<Vec<D::Image>>, D::Error> {
        self.0.preview(canvas)
    }
}
