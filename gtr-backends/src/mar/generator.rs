//! MAR as a masked generator.

use candle_core::Tensor;
use gtr_core::{
    Capability, Denoise, FeatureRows, Grid, MaskedGenerator, NonFinite, Targets, TimestepLimit, TokenIndex,
};
use rayon::prelude::*;

use super::Canvas;
use super::config::{Class, ImageDecoder, MarConfig};
use super::model::{MarModel, Sequence};
use crate::checkpoint::Section;
use crate::diffusion::{Conditions, sample};
use crate::error::Context;
use crate::layers::concatenate;
use crate::vae::{KlDecoder, KlEncoder, latents, pictures};
use crate::{BackendError, Picture};

/// A MAR model that generates pictures.
#[derive(Debug)]
pub struct MarGenerator {
    model: MarModel,
    section: Section,
    vae: Option<KlDecoder>,
    encoder: Option<KlEncoder>,
}

impl MarGenerator {
    /// A generator from a loaded model; `section` tells where its weights come from.
    pub fn new(model: MarModel, section: Section) -> Self {
        Self { model, section, vae: None, encoder: None }
    }

    /// The same generator, which can go on from pictures: `encoder` turns them into latents.
    ///
    /// # Errors
    /// [`BackendError::Config`] if the encoder does not fit the latents.
    pub fn with_encoder(self, encoder: KlEncoder) -> Result<Self, BackendError> {
        let config = self.config();
        encoder.check(&config.name, config.latent_channels, config.stride)?;
        Ok(Self { encoder: Some(encoder), ..self })
    }

    /// The same generator, whose latents `decoder` turns into pictures.
    ///
    /// # Errors
    /// [`BackendError::Config`] if the decoder does not fit the latents, or if the tokens are pixels already.
    pub fn with_vae(self, decoder: KlDecoder) -> Result<Self, BackendError> {
        let config = self.config();
        if config.image_decoder.is_some() {
            let reason = "its tokens are pixels, which no autoencoder decodes".to_owned();
            return Err(BackendError::Config { model: config.name.clone(), reason });
        }
        decoder.check(&config.name, config.latent_channels, config.stride)?;
        Ok(Self { vae: Some(decoder), ..self })
    }

    /// The decoder of latents, if there is one.
    pub fn vae(&self) -> Option<&KlDecoder> {
        self.vae.as_ref()
    }

    /// The model.
    pub fn model(&self) -> &MarModel {
        &self.model
    }

    /// Its sizes and how to use it.
    pub fn config(&self) -> &MarConfig {
        self.model.config()
    }

    /// Which part of its checkpoint the weights are.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// A class of this model.
    ///
    /// # Errors
    /// [`BackendError::Class`] if the model does not have it.
    pub fn class(&self, class: u32) -> Result<Class, BackendError> {
        Class::new(class, self.config())
    }

    /// Whether there is all that it takes to make pictures: models of latents need an autoencoder.
    pub fn makes_pictures(&self) -> bool {
        self.config().image_decoder.is_some() || self.vae.is_some()
    }

    /// Operations that making a picture of an image's tokens takes, by [`crate::vae::DecoderSize::operations`].
    pub fn picture_operations(&self) -> f64 {
        let (grid, patch) = (self.config().grid, self.config().patch);
        let [rows, columns] = [grid.height(), grid.width()].map(|side| side as usize * patch);
        self.vae.as_ref().map_or(0.0, |decoder| decoder.size().operations(rows, columns))
    }

    /// Height, width and channels of its pictures.
    pub fn shape(&self) -> [usize; 3] {
        let config = self.config();
        let (side, channels) = match &self.vae {
            Some(decoder) => (config.patch * config.stride, decoder.size().image_channels),
            None => (config.patch, config.latent_channels),
        };
        [config.grid.height() as usize * side, config.grid.width() as usize * side, channels]
    }

    /// The class of this model with this name, where its classes have names.
    ///
    /// # Errors
    /// As [`Class::named`].
    pub fn class_named(&self, name: &str) -> Result<Class, BackendError> {
        Class::named(name, self.config())
    }

    /// The latent images of a canvas, before any image decoder and any scale.
    ///
    /// # Shapes
    /// returns: `[pictures, latent channels, rows, columns]`; a token's channels are (channel, row in patch, column in
    /// patch).
    ///
    /// # Errors
    /// [`BackendError::Request`] while tokens are missing, or a failure of the device.
    pub fn latents(&self, canvas: &Canvas) -> Result<Tensor, BackendError> {
        canvas.latents(self.config().latent())
    }

    /// Pictures of latent images as the model makes them.
    fn pictures(&self, latents: &Tensor) -> Result<Vec<Picture>, BackendError> {
        let config = self.config();
        let latents = || (latents / config.latent_scale).context("scaling latents");
        match (config.image_decoder, &self.vae) {
            (Some(ImageDecoder::Identity), _) => pictures(&latents()?),
            (None, Some(decoder)) => decoder.pictures(&latents()?),
            (None, None) => Err(BackendError::Request(format!(
                "the tokens of {} are latents, which need a decoder to be pictures",
                config.name
            ))),
        }
    }

    /// Conditioning vectors of sequences, `[sequences * targets, width]`. Each comes with the values of its known tokens.
    fn vectors(&self, sequences: &[(Sequence<'_>, Option<Tensor>)]) -> Result<Tensor, BackendError> {
        let values: Vec<Tensor> = sequences.iter().filter_map(|(_, values)| values.clone()).collect();
        let values = if values.is_empty() { None } else { Some(concatenate(&values).context("joining known tokens")?) };
        let sequences: Vec<_> = sequences.iter().map(|(sequence, _)| *sequence).collect();
        let encoded = self.model.encode(&sequences, values.as_ref())?;
        let vectors = self.model.decode(&sequences, &encoded)?; // (sequences, targets, width)
        vectors.flatten_to(1).context("computing the decoder")
    }
}

impl MaskedGenerator for MarGenerator {
    type Prompt = Class;
    type Canvas = Canvas;
    type Features = Conditions;
    type Tokens = Tensor;
    type Image = Picture;
    type Error = BackendError;

    fn grid(&self) -> Grid {
        self.config().grid
    }

    fn timestep_limit(&self) -> TimestepLimit {
        self.config().timestep_limit()
    }

    fn offers(&self) -> &[Capability] {
        if self.config().image_decoder.is_some() || self.encoder.is_some() {
            &[Capability::HostFeatures, Capability::Encoding]
        } else {
            &[Capability::HostFeatures]
        }
    }

    fn canvas(&mut self, prompts: &[Class], guided: bool) -> Result<Canvas, BackendError> {
        // A class may have been made for another model.
        let classes = prompts.iter().map(|class| self.class(class.get()).map(Some)).collect::<Result<_, _>>()?;
        Ok(Canvas::new(classes, guided))
    }

    fn features(&mut self, canvas: &Canvas, targets: &Targets) -> Result<Conditions, BackendError> {
        let (wanted, per_image) = (canvas.positions(targets)?, targets.per_image());
        let known = canvas.known()?;
        let half = |conditional: bool| {
            let pictures = canvas.prompts().iter().zip(&known).zip(wanted.chunks_exact(per_image));
            pictures.map(move |((class, (values, known)), targets)| {
                let class = class.filter(|_| conditional).map(Class::get);
                (Sequence { class, known, targets }, values.clone())
            })
        };
        let mut sequences: Vec<_> = half(true).collect();
        if canvas.guided() {
            sequences.extend(half(false));
        }
        // On the CPU each sequence is computed by itself: the bits of a product depend on its number of rows.
        let together = if self.model.device().is_cpu() { 1 } else { sequences.len() };
        let this = &*self;
        let groups = sequences.par_chunks(together).map(|group| this.vectors(group)).collect::<Result<Vec<_>, _>>()?;
        let vectors = concatenate(&groups).context("joining conditioning vectors")?;
        let rows = wanted.len();
        let half = |half: usize| vectors.narrow(0, half * rows, rows).context("splitting the halves");
        Ok(Conditions { conditional: half(0)?, unconditional: canvas.guided().then(|| half(1)).transpose()? })
    }

    fn host_features(&self, features: &Conditions) -> Result<FeatureRows, BackendError> {
        let width = self.config().decoder.width;
        let values = features.conditional.flatten_all().and_then(|values| values.to_vec1());
        Ok(FeatureRows { width, values: values.context("reading conditioning vectors")? })
    }

    fn denoise(&mut self, features: &Conditions, request: &Denoise<'_>) -> Result<Tensor, BackendError> {
        sample(self.model.head(), features, request)
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Tensor) -> Result<(), BackendError> {
        canvas.commit(targets, &tokens, self.config().latent())
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        canvas.is_known(slot, token)
    }

    fn values_on_host(&self) -> bool {
        self.model.device().is_cpu()
    }

    fn find_non_finite(&self, canvas: &Canvas) -> Result<Option<NonFinite>, BackendError> {
        canvas.find_non_finite(self.config().latent())
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Picture>, BackendError> {
        self.pictures(&self.latents(&canvas)?)
    }

    fn encode(&mut self, images: &[Picture], targets: &Targets) -> Result<Option<Tensor>, BackendError> {
        let (config, device, scale) = (self.config(), self.model.device(), self.config().latent_scale);
        let scaled = |values: &Tensor| (values * scale).context("scaling latents");
        let latents = match (config.image_decoder, &self.encoder) {
            (Some(ImageDecoder::Identity), _) => latents(images, device, scaled)?,
            (None, Some(encoder)) => latents(images, device, |values| scaled(&encoder.encode(values)?.mean))?,
            (None, None) => return Ok(None),
        };
        config.latent().values(&latents, targets).map(Some)
    }

    fn preview(&self, canvas: &Canvas) -> Result<Option<Vec<Picture>>, BackendError> {
        let layout = self.config().latent();
        let pictures = self.pictures(&canvas.partial_latents(layout, self.model.device())?)?;
        let hidden =
            pictures.into_iter().zip(canvas.unknown(layout)).map(|(picture, unknown)| picture.without(&unknown));
        Ok(Some(hidden.collect()))
    }
}
