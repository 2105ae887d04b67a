//! The generator of all backbones.

use candle_core::Tensor;
use gtr_core::{
    BoxPreviewer, Denoise, FeatureReader, FeatureRows, Grid, HeadKind, HeadVariance, ImageEncoder, MaskedGenerator,
    NonFinite, Previewer, StepContext, Targets, TokenIndex,
};

use super::pixels::Pixels;
use super::{Backbone, Canvas};
use crate::checkpoint::Section;
use crate::diffusion::{Conditions, sample};
use crate::error::Context;
use crate::vae::{KlDecoder, KlEncoder, LatentScale};
use crate::{BackendError, ComputePath, Picture};

/// A generator of latent images, which an autoencoder or a scale converts to pixels.
#[derive(Debug)]
pub struct LatentGenerator<B> {
    model: B,
    section: Section,
    pixels: Pixels,
}

impl<B: Backbone> LatentGenerator<B> {
    /// Creates a generator from a loaded model. `section` is the section of the checkpoint that the weights are from.
    pub fn new(model: B, section: Section) -> Self {
        let pixels = Pixels::new(model.pixel_format());
        Self { model, section, pixels }
    }

    /// Adds an encoder, so that the generator can start from images.
    ///
    /// # Errors
    /// [`BackendError::Config`] if the encoder does not fit the latents, or if the tokens are pixels already.
    pub fn with_encoder(mut self, encoder: KlEncoder) -> Result<Self, BackendError> {
        self.set_encoder(encoder)?;
        Ok(self)
    }

    /// Like [`LatentGenerator::with_encoder`], in place.
    ///
    /// # Errors
    /// Those of [`LatentGenerator::with_encoder`].
    pub fn set_encoder(&mut self, encoder: KlEncoder) -> Result<(), BackendError> {
        self.pixels.add_encoder(encoder, (self.model.name(), self.model.tokens().channels))
    }

    /// Adds a decoder. `scale` is the scale that the autoencoder states. It is used if the model has no scale of its
    /// own; if both are missing, the scale of Stable Diffusion 3.5 is used.
    ///
    /// # Errors
    /// [`BackendError::Config`] if the decoder does not fit the latents, or if the tokens are pixels already.
    pub fn with_vae(mut self, decoder: KlDecoder, scale: Option<LatentScale>) -> Result<Self, BackendError> {
        self.pixels.add_decoder(decoder, scale, (self.model.name(), self.model.tokens().channels))?;
        Ok(self)
    }

    /// The model.
    pub fn model(&self) -> &B {
        &self.model
    }

    /// Section of the checkpoint that the weights are from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// Returns true if the model can decode images: models of latents need an autoencoder.
    pub fn makes_pictures(&self) -> bool {
        self.pixels.can_decode()
    }

    /// Number of operations of decoding one image, by [`crate::vae::KlDecoder::operations`].
    pub fn picture_operations(&self) -> f64 {
        let layout = self.model.tokens();
        let [rows, columns] = [layout.grid.height(), layout.grid.width()].map(|side| side as usize * layout.patch);
        self.pixels.decoder().map_or(0.0, |decoder| decoder.operations(rows, columns))
    }

    /// Height, width and channels of the images; without an autoencoder those of the latents.
    pub fn shape(&self) -> [usize; 3] {
        let layout = self.model.tokens();
        let (stride, channels) = match self.pixels.decoder() {
            Some(decoder) => (decoder.size().stride(), decoder.size().image_channels),
            None => (1, layout.channels),
        };
        let [rows, columns] = [layout.grid.height(), layout.grid.width()].map(|side| side as usize * layout.patch);
        [rows * stride, columns * stride, channels]
    }

    /// Changes the grid.
    ///
    /// # Errors
    /// Those of [`Backbone::set_grid`].
    pub fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        self.model.set_grid(grid)
    }

    /// Returns the latent images of a canvas, without decoding and scaling.
    ///
    /// # Shapes
    /// returns: `[images, latent channels, rows, columns]`; the channels of a token are (channel, row in patch, column
    /// in patch).
    ///
    /// # Errors
    /// [`BackendError::Request`] if tokens are unknown, or a failure of the device.
    pub fn latents(&self, canvas: &Canvas<B::Prompt>) -> Result<Tensor, BackendError> {
        canvas.latents(self.model.tokens())
    }
}

impl<B: Backbone> MaskedGenerator for LatentGenerator<B> {
    type Prompt = B::Prompt;
    type Canvas = Canvas<B::Prompt>;
    type Features = Conditions;
    type Tokens = Tensor;
    type Image = Picture;
    type Error = BackendError;

    fn grid(&self) -> Grid {
        self.model.tokens().grid
    }

    fn head_kind(&self) -> HeadKind {
        HeadKind::Diffusion { timesteps: self.model.spec().timestep_limit, variance: HeadVariance::Learned }
    }

    fn canvas(&mut self, prompts: &[B::Prompt], guided: bool) -> Result<Canvas<B::Prompt>, BackendError> {
        prompts.iter().try_for_each(|prompt| self.model.check(prompt))?;
        Ok(Canvas::new(prompts.iter().cloned().map(Some).collect(), guided))
    }

    fn features(
        &mut self,
        canvas: &mut Canvas<B::Prompt>,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Conditions, BackendError> {
        self.model.conditions(canvas, targets, step)
    }

    fn denoise(&mut self, features: &Conditions, request: &Denoise<'_>) -> Result<Tensor, BackendError> {
        sample(self.model.head(), features, request)
    }

    fn commit(
        &mut self,
        canvas: &mut Canvas<B::Prompt>,
        targets: &Targets,
        tokens: Tensor,
    ) -> Result<(), BackendError> {
        canvas.commit(targets, &tokens, self.model.tokens())
    }

    fn is_known(&self, canvas: &Canvas<B::Prompt>, slot: usize, token: TokenIndex) -> bool {
        canvas.is_known(slot, token)
    }

    fn values_on_host(&self) -> bool {
        self.model.device().is_cpu()
    }

    fn find_non_finite(&self, canvas: &Canvas<B::Prompt>) -> Result<Option<NonFinite>, BackendError> {
        canvas.find_non_finite(self.model.tokens())
    }

    fn decode(&mut self, canvas: Canvas<B::Prompt>) -> Result<Vec<Picture>, BackendError> {
        self.pixels.decode(&self.latents(&canvas)?, self.model.name())
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = Conditions, Error = BackendError>> {
        Some(self)
    }

    fn image_encoder(&self) -> Option<&dyn ImageEncoder<Image = Picture, Tokens = Tensor, Error = BackendError>> {
        if self.pixels.can_encode() { Some(self) } else { None }
    }

    fn previewer(&self) -> Option<BoxPreviewer<'_, Canvas<B::Prompt>, Picture, BackendError>> {
        if self.makes_pictures() { Some(Box::new(self)) } else { None }
    }

    fn reuses(&self) -> bool {
        self.model.reuses()
    }
}

impl<B: Backbone> FeatureReader for LatentGenerator<B> {
    type Features = Conditions;
    type Error = BackendError;

    fn host_features(&self, features: &Conditions) -> Result<FeatureRows, BackendError> {
        let width = self.model.head().size().condition;
        let values = features.conditional.flatten_all().and_then(|values| values.to_vec1());
        Ok(FeatureRows { width, values: values.context("reading conditioning vectors")? })
    }

    fn draws_while_computing(&self) -> Option<usize> {
        let head = self.model.head();
        (head.compute().path() == ComputePath::Device).then(|| head.size().channels)
    }
}

/// Encodes with the encoder of the autoencoder.
///
/// # Errors
/// [`BackendError::NoEncoder`] if a model of latents has none.
impl<B: Backbone> ImageEncoder for LatentGenerator<B> {
    type Image = Picture;
    type Tokens = Tensor;
    type Error = BackendError;

    fn encode(&self, images: &[Picture], targets: &Targets) -> Result<Tensor, BackendError> {
        let latents = self.pixels.encode(images, self.model.device(), self.model.name())?;
        self.model.tokens().values(&latents, targets)
    }
}

/// Decodes with the decoder of the autoencoder.
///
/// # Errors
/// [`BackendError::NoDecoder`] if a model of latents has none.
impl<B: Backbone> Previewer for LatentGenerator<B> {
    type Canvas = Canvas<B::Prompt>;
    type Image = Picture;
    type Error = BackendError;

    fn preview(&self, canvas: &Canvas<B::Prompt>) -> Result<Vec<Picture>, BackendError> {
        let layout = self.model.tokens();
        let latents = canvas.partial_latents(layout, self.model.device())?;
        let pictures = self.pixels.decode(&latents, self.model.name())?;
        let hidden =
            pictures.into_iter().zip(canvas.unknown(layout)).map(|(picture, unknown)| picture.without(&unknown));
        Ok(hidden.collect())
    }
}
