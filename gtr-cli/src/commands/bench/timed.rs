//! A generator that measures its time.

use std::time::{Duration, Instant};

use gtr_core::{
    BoxPreviewer, Denoise, FeatureReader, Grid, HeadKind, ImageEncoder, MaskedGenerator, NonFinite, StepContext,
    Targets, TokenIndex, TokenRanker,
};

/// Time of the parts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// Encoder and decoder.
    pub(super) transformer: Duration,
    /// The diffusion head.
    pub(super) head: Duration,
    /// Decoding of tokens to pixels.
    pub(super) decode: Duration,
}

/// A generator with the time of its parts.
pub(super) struct Timed<G> {
    inner: G,
    /// True if the model can decode images; otherwise the images are not decoded.
    decodes: bool,
    times: Times,
}

impl<G> Timed<G> {
    pub(super) fn new(inner: G, decodes: bool) -> Self {
        Self { inner, decodes, times: Times::default() }
    }

    /// Returns the times since the last call.
    pub(super) fn take(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }
}

/// Adds the duration of a call to a sum.
fn timed<T>(sum: &mut Duration, call: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = call();
    *sum += started.elapsed();
    result
}

impl<G: MaskedGenerator> MaskedGenerator for Timed<G> {
    type Prompt = G::Prompt;
    type Canvas = G::Canvas;
    type Features = G::Features;
    type Tokens = G::Tokens;
    type Image = G::Image;
    type Error = G::Error;

    fn grid(&self) -> Grid {
        self.inner.grid()
    }

    fn head_kind(&self) -> HeadKind {
        self.inner.head_kind()
    }

    fn canvas(&mut self, prompts: &[G::Prompt], guided: bool) -> Result<G::Canvas, G::Error> {
        self.inner.canvas(prompts, guided)
    }

    fn features(
        &mut self,
        canvas: &mut G::Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<G::Features, G::Error> {
        timed(&mut self.times.transformer, || self.inner.features(canvas, targets, step))
    }

    fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, G::Error> {
        timed(&mut self.times.head, || self.inner.denoise(features, request))
    }

    fn commit(&mut self, canvas: &mut G::Canvas, targets: &Targets, tokens: G::Tokens) -> Result<(), G::Error> {
        self.inner.commit(canvas, targets, tokens)
    }

    fn is_known(&self, canvas: &G::Canvas, slot: usize, token: TokenIndex) -> bool {
        self.inner.is_known(canvas, slot, token)
    }

    fn values_on_host(&self) -> bool {
        self.inner.values_on_host()
    }

    fn find_non_finite(&self, canvas: &G::Canvas) -> Result<Option<NonFinite>, G::Error> {
        self.inner.find_non_finite(canvas)
    }

    fn decode(&mut self, canvas: G::Canvas) -> Result<Vec<G::Image>, G::Error> {
        if !self.decodes {
            return Ok(Vec::new());
        }
        timed(&mut self.times.decode, || self.inner.decode(canvas))
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = G::Features, Error = G::Error>> {
        self.inner.feature_reader()
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = G::Tokens, Error = G::Error>> {
        self.inner.token_ranker()
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = G::Image, Tokens = G::Tokens, Error = G::Error>> {
        self.inner.image_encoder()
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, G::Canvas, G::Image, G::Error>> {
        self.inner.previewer()
    }

    fn reuses(&self) -> bool {
        self.inner.reuses()
    }
}
