//! A generator that measures its time.

use std::time::{Duration, Instant};

use gtr_core::{
    Capability, Denoise, FeatureRows, Grid, HeadKind, MaskedGenerator, NonFinite, StepContext, Targets, TokenIndex,
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

    fn capabilities(&self) -> &[Capability] {
        self.inner.capabilities()
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

    fn host_features(&self, features: &G::Features) -> Result<FeatureRows, G::Error> {
        self.inner.host_features(features)
    }

    fn denoise(&mut self, features: &G::Features, request: &Denoise<'_>) -> Result<G::Tokens, G::Error> {
        timed(&mut self.times.head, || self.inner.denoise(features, request))
    }

    fn confidence(&self, tokens: &G::Tokens) -> Result<Option<Vec<f32>>, G::Error> {
        self.inner.confidence(tokens)
    }

    fn keep(&mut self, tokens: G::Tokens, rows: &[usize]) -> Result<Option<G::Tokens>, G::Error> {
        self.inner.keep(tokens, rows)
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

    fn encode(&mut self, images: &[G::Image], targets: &Targets) -> Result<Option<G::Tokens>, G::Error> {
        self.inner.encode(images, targets)
    }

    fn preview(&self, canvas: &G::Canvas) -> Result<Option<Vec<G::Image>>, G::Error> {
        self.inner.preview(canvas)
    }
}
