//! LightGen as a masked generator.

use candle_core::Tensor;
use gtr_core::{Capability, Denoise, FeatureRows, Grid, MaskedGenerator, NonFinite, Targets, TokenIndex};
use rayon::prelude::*;

use super::config::LightGenConfig;
use super::model::{LightGenModel, Positions};
use super::{Canvas, TextFeatures};
use crate::canvas::Known;
use crate::checkpoint::{Checkpoint, Layout, Section};
use crate::diffusion::{Conditions, sample};
use crate::error::Context;
use crate::layers::concatenate;
use crate::vae::{KlDecoder, KlEncoder, LatentScale, latents};
use crate::{BackendError, Picture};

/// A LightGen model that generates pictures.
#[derive(Debug)]
pub struct LightGenGenerator {
    model: LightGenModel,
    section: Section,
    vae: Option<(KlDecoder, LatentScale)>,
    encoder: Option<KlEncoder>,
}

impl LightGenGenerator {
    /// A generator from a loaded model; `section` tells where its weights come from.
    pub fn new(model: LightGenModel, section: Section) -> Self {
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
    /// [`BackendError::Config`] if the decoder does not fit the latents.
    pub fn with_vae(self, decoder: KlDecoder, scale: LatentScale) -> Result<Self, BackendError> {
        let config = self.config();
        decoder.check(&config.name, config.latent_channels, config.stride)?;
        Ok(Self { vae: Some((decoder, scale)), ..self })
    }

    /// Whether there is all that it takes to make pictures: an autoencoder.
    pub fn makes_pictures(&self) -> bool {
        self.vae.is_some()
    }

    /// Operations that making a picture of an image's tokens takes, by [`crate::vae::DecoderSize::operations`].
    pub fn picture_operations(&self) -> f64 {
        let (grid, patch) = (self.config().grid, self.config().patch);
        let [rows, columns] = [grid.height(), grid.width()].map(|side| side as usize * patch);
        self.vae.as_ref().map(|(decoder, _)| decoder).map_or(0.0, |decoder| decoder.size().operations(rows, columns))
    }

    /// The decoder of latents and their scale, if there is one.
    pub fn vae(&self) -> Option<(&KlDecoder, LatentScale)> {
        self.vae.as_ref().map(|(decoder, scale)| (decoder, *scale))
    }

    /// Height, width and channels of its pictures; latents without an autoencoder.
    pub fn shape(&self) -> [usize; 3] {
        let config = self.config();
        let (side, channels) = match &self.vae {
            Some((decoder, _)) => (config.patch * config.stride, decoder.size().image_channels),
            None => (config.patch, config.latent_channels),
        };
        [config.grid.height() as usize * side, config.grid.width() as usize * side, channels]
    }

    /// Takes the generator to another grid.
    ///
    /// # Errors
    /// As [`LightGenModel::set_grid`].
    pub fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        self.model.set_grid(grid)
    }

    /// The model.
    pub fn model(&self) -> &LightGenModel {
        &self.model
    }

    /// Its sizes and how to use it.
    pub fn config(&self) -> &LightGenConfig {
        self.model.config()
    }

    /// Which part of its checkpoint the weights are.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// A prompt from the last hidden state of the text encoder: computed once, used at every step.
    ///
    /// # Shapes
    /// `text`: `[text length, caption channels]`.
    ///
    /// # Errors
    /// As [`LightGenModel::embed_text`].
    pub fn prompt(&self, text: &Tensor) -> Result<TextFeatures, BackendError> {
        let text = text.to_device(self.model.device()).context("moving a text to the device")?;
        self.model.embed_text(&text)
    }

    /// A prompt whose vectors come from the text itself, to try and to time a model without a text encoder.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn random_prompt(&self, text: &str) -> Result<TextFeatures, BackendError> {
        let (length, width) = (self.config().text_length, self.config().caption_channels);
        let mut layout = Layout::default();
        layout.add(text, &[length, width]);
        let values = Checkpoint::random("prompt", &layout, 0).read_f32(text)?;
        let vectors = Tensor::from_vec(values, (length, width), self.model.device());
        self.prompt(&vectors.context("making the vectors of a text")?)
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
        let Some((decoder, scale)) = &self.vae else {
            let name = &self.config().name;
            return Err(BackendError::Request(format!(
                "the tokens of {name} are latents, which need a decoder to be pictures"
            )));
        };
        decoder.pictures(&scale.remove(latents)?)
    }

    /// Conditioning vectors of some pictures, `[pictures * targets, width]`: with their texts, and without if asked.
    fn vectors(&self, pictures: &[Asked<'_>], guided: bool) -> Result<(Tensor, Option<Tensor>), BackendError> {
        let values: Vec<Tensor> = pictures.iter().filter_map(|asked| asked.known.0.clone()).collect();
        let values = if values.is_empty() { None } else { Some(concatenate(&values).context("joining known tokens")?) };
        let positions: Vec<_> =
            pictures.iter().map(|asked| Positions { known: &asked.known.1, targets: asked.targets }).collect();
        let encoded = self.model.encode(&positions, values.as_ref())?;
        let decoded = self.model.decode(&positions, encoded.as_ref())?;
        let attend = |texts: &[&TextFeatures]| {
            let vectors = self.model.attend(&positions, &decoded, texts)?; // (pictures, targets, width)
            vectors.flatten_to(1).context("computing the text decoder")
        };
        let nothing = self.model.no_text();
        let texts: Vec<_> = pictures.iter().map(|asked| asked.text.unwrap_or(nothing)).collect();
        let unconditional = guided.then(|| attend(&vec![nothing; pictures.len()])).transpose()?;
        Ok((attend(&texts)?, unconditional))
    }
}

/// What a step asks of one picture.
struct Asked<'a> {
    text: Option<&'a TextFeatures>,
    known: Known,
    targets: &'a [u32],
}

impl MaskedGenerator for LightGenGenerator {
    type Prompt = TextFeatures;
    type Canvas = Canvas;
    type Features = Conditions;
    type Tokens = Tensor;
    type Image = Picture;
    type Error = BackendError;

    fn grid(&self) -> Grid {
        self.config().grid
    }

    fn offers(&self) -> &[Capability] {
        if self.vae.is_some() && self.encoder.is_some() {
            &[Capability::HostFeatures, Capability::Encoding]
        } else {
            &[Capability::HostFeatures]
        }
    }

    fn canvas(&mut self, prompts: &[TextFeatures], guided: bool) -> Result<Canvas, BackendError> {
        Ok(Canvas::new(prompts.iter().cloned().map(Some).collect(), guided))
    }

    fn features(&mut self, canvas: &Canvas, targets: &Targets) -> Result<Conditions, BackendError> {
        let wanted = canvas.positions(targets)?;
        let wanted = wanted.chunks_exact(targets.per_image());
        let pictures = canvas.prompts().iter().zip(canvas.known()?).zip(wanted);
        let pictures: Vec<_> =
            pictures.map(|((text, known), targets)| Asked { text: text.as_ref(), known, targets }).collect();
        // On the CPU each picture is computed by itself: the bits of a product depend on its number of rows.
        let together = if self.model.device().is_cpu() { 1 } else { pictures.len().max(1) };
        let this = &*self;
        let groups = pictures.par_chunks(together).map(|group| this.vectors(group, canvas.guided()));
        let (conditional, unconditional): (Vec<_>, Vec<_>) = groups.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let unconditional: Vec<Tensor> = unconditional.into_iter().flatten().collect();
        let join = |parts: &[Tensor]| concatenate(parts).context("joining conditioning vectors");
        let unconditional = canvas.guided().then(|| join(&unconditional)).transpose()?;
        Ok(Conditions { conditional: join(&conditional)?, unconditional })
    }

    fn host_features(&self, features: &Conditions) -> Result<FeatureRows, BackendError> {
        let width = self.config().cross.width;
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
        let (Some((_, scale)), Some(encoder)) = (&self.vae, &self.encoder) else { return Ok(None) };
        let latents = latents(images, self.model.device(), |values| scale.apply(&encoder.encode(values)?.mean))?;
        self.config().latent().values(&latents, targets).map(Some)
    }

    fn preview(&self, canvas: &Canvas) -> Result<Option<Vec<Picture>>, BackendError> {
        let layout = self.config().latent();
        let pictures = self.pictures(&canvas.partial_latents(layout, self.model.device())?)?;
        let hidden =
            pictures.into_iter().zip(canvas.unknown(layout)).map(|(picture, unknown)| picture.without(&unknown));
        Ok(Some(hidden.collect()))
    }
}
