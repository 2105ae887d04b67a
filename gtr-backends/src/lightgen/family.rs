//! The family of LightGen models.

use gtr_core::Grid;
use serde_json::{Map, Value};

use super::config::NAMES;
use super::{LightGenConfig, LightGenGenerator, LightGenModel};
use crate::BackendError;
use crate::checkpoint::{Kind, Wanted};
use crate::family::{ModelFamily, OpenOptions};
use crate::latent::LatentImage;
use crate::model::AnyModel;
use crate::model_size::Stack;
use crate::models::{Found, open_vae};
use crate::spec::ModelSpec;
use crate::vae::{DecoderSize, KlDecoder};

/// The family of LightGen models: text-conditional, on any grid.
#[derive(Clone, Copy, Debug)]
pub struct LightGen;

impl ModelFamily for LightGen {
    fn name(&self) -> &'static str {
        "lightgen"
    }

    fn published(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn recognises(&self, config: &Map<String, Value>) -> bool {
        config.contains_key("caption_channels")
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::LIGHT_GEN)
    }

    fn encoder_of(&self, published: &str) -> Option<Stack> {
        LightGenConfig::named(published).map(|config| config.encoder)
    }

    fn autoencoder(&self) -> &'static str {
        "a folder in the layout of diffusers"
    }

    fn spec(&self, found: &Found) -> Result<ModelSpec, BackendError> {
        Ok(config(found)?.spec())
    }

    fn latent_image(&self, found: &Found) -> Result<LatentImage, BackendError> {
        let config = config(found)?;
        Ok(LatentImage { tokens: config.latent(), pixels: config.pixel_format(), model: config.name })
    }

    fn grid_for(&self, found: &Found, height: u32, width: u32) -> Result<Grid, BackendError> {
        Ok(config(found)?.with_pixels(height, width)?.grid)
    }

    fn open(&self, found: &Found, options: &OpenOptions<'_>) -> Result<AnyModel, BackendError> {
        Ok(AnyModel::new(Box::new(open(found, options)?)))
    }
}

/// Opens a LightGen model.
pub(crate) fn open(found: &Found, options: &OpenOptions<'_>) -> Result<LightGenGenerator, BackendError> {
    let (files, compute) = (&options.files, &options.compute);
    let mut config = config(found)?;
    if let (Some(width), Some(_)) = (options.text_width, files.random) {
        config.caption_channels = width;
    }
    let checkpoint = found.checkpoint(files, Wanted::Raw, || LightGenModel::layout(&config))?;
    Kind::LIGHT_GEN.expect(&checkpoint)?;
    let config = if found.is_published() { config.fitted(&checkpoint)? } else { config };
    if let Some(width) = options.text_width.filter(|width| *width != config.caption_channels) {
        let expected = config.caption_channels;
        let reason = format!("expected a text encoder of width {expected}, found width {width}");
        return Err(BackendError::Config { model: config.name, reason });
    }
    let section = checkpoint.section().clone();
    let size = DecoderSize { latent_channels: config.latent_channels, ..DecoderSize::stable_diffusion_3() };
    let generator = LightGenGenerator::new(LightGenModel::load(&config, checkpoint, compute)?, section);
    match (files.vae, files.random) {
        (Some(path), _) => {
            let (decoder, scale) = open_vae(path, compute)?;
            generator.with_vae(decoder, scale)
        }
        (None, Some(seed)) => generator.with_vae(KlDecoder::random(&size, seed, compute)?, None),
        (None, None) => Ok(generator),
    }
}

/// Returns the configuration of a model.
fn config(found: &Found) -> Result<LightGenConfig, BackendError> {
    match found.config() {
        Some((name, text)) => LightGenConfig::parse(&name, text),
        None => LightGenConfig::named(found.model()).ok_or_else(|| found.of_another_family()),
    }
}
