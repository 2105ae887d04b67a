//! A backbone as a masked generator.

use candle_core::Tensor;
use gtr_core::{
    Capability, Denoise, FeatureRows, Grid, MaskedGenerator, NonFinite, Targets, TimestepLimit, TokenIndex,
};

use super::pixels::Pixels;
use super::{Backbone, Canvas};
use crate::checkpoint::Section;
use crate::diffusion::{Conditions, sample};
use crate::error::Context;
use crate::vae::{KlDecoder, KlEncoder, LatentScale};
use crate::{BackendError, Picture};

/// A model that generates latent images, and pictures of them.
#[derive(Debug)]
pub struct LatentGenerator<B> {
    model: B,
    section: Section,
    pixels: Pixels,
}

impl<B: Backbone> LatentGenerator<B> {
    /// A generator from a loaded model; `section` tells where its weights come from.
    pub fn new(model: B, section: Section) -> Self {
        let pixels = Pixels::new(model.pixel_format());
        Self { model, section, pixels }
    }

    /// The same generator, which can go on from pictures: `encoder` turns them into latents.
    ///
    /// # Errors
    /// [`BackendError::Config`] if the encoder does not fit the latents, or if the tokens are pixels already.
    pub fn with_encoder(mut self, encoder: KlEncoder) -> Result<Self, BackendError> {
        self.set_encoder(encoder)?;
        Ok(self)
    }

    /// As [`LatentGenerator::with_encoder`], in place.
    ///
    /// # Errors
    /// As [`LatentGenerator::with_encoder`].
    pub fn set_encoder(&mut self, encoder: KlEncoder) -> Result<(), BackendError> {
        self.pixels.add_encoder(encoder, (self.model.name(), self.model.tokens().channels))
    }

    /// The same generator, whose latents `decoder` turns into pictures. `scale` is what the autoencoder states; it counts
    /// where the model has no scale of its own, and without it the scale of Stable Diffusion 3.5 does.
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

    /// Which part of its checkpoint the weights are.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// Whether there is all that it takes to make pictures: models of latents need an autoencoder.
    pub fn makes_pictures(&self) -> bool {
        self.pixels.can_decode()
    }

    /// Operations that making a picture of an image's tokens takes, by [`crate::vae::DecoderSize::operations`].
    pub fn picture_operations(&self) -> f64 {
        let layout = self.model.tokens();
        let [rows, columns] = [layout.grid.height(), layout.grid.width()].map(|side| side as usize * layout.patch);
        self.pixels.decoder().map_or(0.0, |decoder| decoder.size().operations(rows, columns))
    }

    /// Height, width and channels of its pictures; those of the latents without an autoencoder.
    pub fn shape(&self) -> [usize; 3] {
        let layout = self.model.tokens();
        let (stride, channels) = match self.pixels.decoder() {
            Some(decoder) => (decoder.size().stride(), decoder.size().image_channels),
            None => (1, layout.channels),
        };
        let [rows, columns] = [layout.grid.height(), layout.grid.width()].map(|side| side as usize * layout.patch);
        [rows * stride, columns * stride, channels]
    }

    /// Takes the generator to another grid.
    ///
    /// # Errors
    /// As [`Backbone::set_grid`].
    pub fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        self.model.set_grid(grid)
    }

    /// The latent images of a canvas, before any image decoder and any scale.
    ///
    /// # Shapes
    /// returns: `[pictures, latent channels, rows, columns]`; a token's channels are (channel, row in patch, column in
    /// patch).
    ///
    /// # Errors
    /// [`BackendError::Request`] while tokens are missing, or a failure of the device.
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

    fn timestep_limit(&self) -> TimestepLimit {
        self.model.spec().timestep_limit
    }

    fn capabilities(&self) -> &[Capability] {
        if self.pixels.can_encode() {
            &[Capability::HostFeatures, Capability::Encoding]
        } else {
            &[Capability::HostFeatures]
        }
    }

    fn canvas(&mut self, prompts: &[B::Prompt], guided: bool) -> Result<Canvas<B::Prompt>, BackendError> {
        prompts.iter().try_for_each(|prompt| self.model.check(prompt))?;
        Ok(Canvas::new(prompts.iter().cloned().map(Some).collect(), guided))
    }

    fn features(&mut self, canvas: &Canvas<B::Prompt>, targets: &Targets) -> Result<Conditions, BackendError> {
        self.model.conditions(canvas, targets)
    }

    fn host_features(&self, features: &Conditions) -> Result<FeatureRows, BackendError> {
        let width = self.model.head().size().condition;
        let values = features.conditional.flatten_all().and_then(|values| values.to_vec1());
        Ok(FeatureRows { width, values: values.context("reading conditioning vectors")? })
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

    fn encode(&mut self, images: &[Picture], targets: &Targets) -> Result<Option<Tensor>, BackendError> {
        let latents = self.pixels.encode(images, self.model.device())?;
        latents.map(|latents| self.model.tokens().values(&latents, targets)).transpose()
    }

    fn preview(&self, canvas: &Canvas<B::Prompt>) -> Result<Option<Vec<Picture>>, BackendError> {
        let layout = self.model.tokens();
        let latents = canvas.partial_latents(layout, self.model.device())?;
        let pictures = self.pixels.decode(&latents, self.model.name())?;
        let hidden =
            pictures.into_iter().zip(canvas.unknown(layout)).map(|(picture, unknown)| picture.without(&unknown));
        Ok(Some(hidden.collect()))
    }
}
