//! MAR as a masked generator.

use candle_core::{DType, Device, Tensor};
use gtr_core::{Capability, Denoise, FeatureRows, Grid, MaskedGenerator, NonFinite, Targets, TimestepLimit};
use rayon::prelude::*;

use super::config::{Class, ImageDecoder, MarConfig};
use super::model::{MarModel, Sequence};
use crate::checkpoint::Section;
use crate::diffusion::{Conditions, sample};
use crate::error::Context;
use crate::layers::concatenate;
use crate::{BackendError, Picture};

/// A MAR model that generates pictures.
#[derive(Debug)]
pub struct MarGenerator {
    model: MarModel,
    section: Section,
}

/// Pictures of which some tokens are known, in all the same number.
#[derive(Clone, Debug)]
pub struct Canvas {
    classes: Vec<Option<Class>>,
    guided: bool,
    /// Positions of the known tokens of each picture, in the order of `values`.
    known: Vec<Vec<u32>>,
    /// `[pictures, known, channels]`; nothing before the first step.
    values: Option<Tensor>,
}

impl Canvas {
    /// Empty pictures; those without a class are of no class, as in the unconditional half.
    pub fn new(classes: Vec<Option<Class>>, guided: bool) -> Self {
        Self { known: vec![Vec::new(); classes.len()], values: None, classes, guided }
    }

    /// The values of the known tokens, in the order in which they became known.
    ///
    /// # Shapes
    /// `[pictures, known, channels]`; nothing before the first step.
    pub fn values(&self) -> Option<&Tensor> {
        self.values.as_ref()
    }

    /// The order that brings the known tokens of a picture into position order: places in `known`, and the positions.
    fn sorted(&self, picture: usize) -> (Vec<u32>, Vec<u32>) {
        let known = &self.known[picture];
        let mut order: Vec<(u32, u32)> = known.iter().copied().zip(0..).collect();
        order.sort_unstable();
        order.into_iter().map(|(position, place)| (place, position)).unzip()
    }

    /// The values of the known tokens of a picture in position order, `[1, known, channels]`, and their positions.
    fn picture(&self, picture: usize) -> candle_core::Result<(Option<Tensor>, Vec<u32>)> {
        let (places, positions) = self.sorted(picture);
        let Some(values) = &self.values else { return Ok((None, positions)) };
        let places = Tensor::new(places.as_slice(), values.device())?;
        Ok((Some(values.narrow(0, picture, 1)?.index_select(&places, 1)?), positions))
    }
}

impl MarGenerator {
    /// A generator from a loaded model; `section` tells where its weights come from.
    pub fn new(model: MarModel, section: Section) -> Self {
        Self { model, section }
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
    pub fn section(&self) -> Section {
        self.section
    }

    /// A class of this model.
    ///
    /// # Errors
    /// [`BackendError::Class`] if the model does not have it.
    pub fn class(&self, class: u32) -> Result<Class, BackendError> {
        Class::new(class, self.config())
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
        let (count, config) = (canvas.classes.len(), self.config());
        let known = canvas.known.first().map_or(0, Vec::len);
        if known != config.tokens() {
            let tokens = config.tokens();
            return Err(BackendError::Request(format!("only {known} of the {tokens} tokens are known: decode later")));
        }
        let (height, width) = (config.grid.height() as usize, config.grid.width() as usize);
        let (channels, patch) = (config.latent_channels, config.patch);
        let pictures = (0..count).map(|picture| {
            let (tokens, _) = canvas.picture(picture)?;
            tokens.ok_or_else(|| candle_core::Error::Msg("a full canvas has values".into()))
        });
        pictures
            .collect::<candle_core::Result<Vec<_>>>()
            .and_then(|pictures| {
                concatenate(&pictures)?
                    .reshape(&[count, height, width, channels, patch, patch][..])?
                    .permute([0, 3, 1, 4, 2, 5].as_slice())?
                    .reshape((count, channels, height * patch, width * patch))
            })
            .context("joining tokens to images")
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
        &[Capability::HostFeatures]
    }

    fn canvas(&mut self, prompts: &[Class], guided: bool) -> Result<Canvas, BackendError> {
        // A class may have been made for another model.
        let classes = prompts.iter().map(|class| self.class(class.get()).map(Some)).collect::<Result<_, _>>()?;
        Ok(Canvas::new(classes, guided))
    }

    fn features(&mut self, canvas: &Canvas, targets: &Targets) -> Result<Conditions, BackendError> {
        let count = canvas.classes.len();
        if targets.images() != count {
            let found = targets.images();
            return Err(BackendError::Request(format!("targets of {found} images do not fit a canvas of {count}")));
        }
        let (wanted, per_image) = (positions(targets)?, targets.per_image());
        let known = (0..count).map(|picture| canvas.picture(picture)).collect::<candle_core::Result<Vec<_>>>();
        let known = known.context("choosing the known tokens")?;
        let half = |conditional: bool| {
            let pictures = canvas.classes.iter().zip(&known).zip(wanted.chunks_exact(per_image));
            pictures.map(move |((class, (values, known)), targets)| {
                let class = class.filter(|_| conditional).map(Class::get);
                (Sequence { class, known, targets }, values.clone())
            })
        };
        let mut sequences: Vec<_> = half(true).collect();
        if canvas.guided {
            sequences.extend(half(false));
        }
        // On the CPU each sequence is computed by itself: the bits of a product depend on its number of rows.
        let together = if self.model.device().is_cpu() { 1 } else { sequences.len() };
        let this = &*self;
        let groups = sequences.par_chunks(together).map(|group| this.vectors(group)).collect::<Result<Vec<_>, _>>()?;
        let vectors = concatenate(&groups).context("joining conditioning vectors")?;
        let rows = count * per_image;
        let half = |half: usize| vectors.narrow(0, half * rows, rows).context("splitting the halves");
        Ok(Conditions { conditional: half(0)?, unconditional: canvas.guided.then(|| half(1)).transpose()? })
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
        let (count, per_image, channels) = (canvas.classes.len(), targets.per_image(), self.config().token_channels());
        if targets.images() != count || tokens.dims() != [count * per_image, channels] {
            let found = tokens.dims();
            return Err(BackendError::Request(format!(
                "values of shape {found:?} do not fit {per_image} tokens of {channels} channels in each of {count} images"
            )));
        }
        let new = positions(targets)?;
        for (known, new) in canvas.known.iter().zip(new.chunks_exact(per_image)) {
            let mut all: Vec<u32> = known.iter().chain(new).copied().collect();
            all.sort_unstable();
            if let Some((twice, _)) = all.iter().zip(all.iter().skip(1)).find(|(token, next)| token == next) {
                return Err(BackendError::Request(format!("token {twice} is known already")));
            }
            if let Some(outside) = all.last().filter(|token| **token as usize >= self.config().tokens()) {
                let grid = self.config().grid;
                return Err(BackendError::Request(format!("token {outside} is not on the model's grid of {grid}")));
            }
        }
        let tokens = tokens.reshape((count, per_image, channels)).and_then(|tokens| match &canvas.values {
            Some(values) => Tensor::cat(&[values, &tokens], 1),
            None => Ok(tokens),
        });
        canvas.values = Some(tokens.context("writing tokens")?);
        for (known, new) in canvas.known.iter_mut().zip(new.chunks_exact(per_image)) {
            known.extend_from_slice(new);
        }
        Ok(())
    }

    fn values_on_host(&self) -> bool {
        self.model.device().is_cpu()
    }

    fn find_non_finite(&self, canvas: &Canvas) -> Result<Option<NonFinite>, BackendError> {
        let Some(values) = &canvas.values else { return Ok(None) };
        let values = values.to_dtype(DType::F32).and_then(|values| values.flatten_all()?.to_vec1::<f32>());
        let values = values.context("reading token values")?;
        let (channels, known) = (self.config().token_channels(), canvas.known.first().map_or(0, Vec::len));
        let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(None) };
        let (slot, place) = (at / channels / known, at / channels % known);
        let token = self.grid().token(canvas.known[slot][place] as usize);
        Ok(token.ok().map(|token| NonFinite { slot, token }))
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Picture>, BackendError> {
        let config = self.config();
        let Some(ImageDecoder::Identity) = config.image_decoder else {
            let name = &config.name;
            return Err(BackendError::Request(format!(
                "the tokens of {name} are latents, which need a decoder to be pictures"
            )));
        };
        let latents = self.latents(&canvas)?;
        let images = (latents / config.latent_scale)
            .and_then(|latents| ((latents + 1.0)? / 2.0)?.clamp(0_f32, 1_f32))
            .and_then(|images| images.permute((0, 2, 3, 1))?.to_device(&Device::Cpu)) // (pictures, rows, columns, channels)
            .context("turning tokens into pixels")?;
        let (count, height, width, channels) = images.dims4().context("turning tokens into pixels")?;
        (0..count)
            .map(|picture| {
                let pixels = images.get(picture).and_then(|image| image.flatten_all()?.to_vec1());
                Picture::new(width, height, channels, pixels.context("reading pixels")?)
            })
            .collect()
    }
}

fn positions(targets: &Targets) -> Result<Vec<u32>, BackendError> {
    let position = |token: &gtr_core::TokenIndex| u32::try_from(token.get());
    let positions = targets.rows().iter().map(position).collect::<Result<_, _>>();
    positions.map_err(|error| BackendError::Request(format!("a token is not on any grid: {error}")))
}
