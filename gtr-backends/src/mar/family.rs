//! The family of MAR models.

use serde_json::{Map, Value};

use super::published::NAMES;
use super::{MarConfig, MarGenerator, MarModel};
use crate::BackendError;
use crate::checkpoint::{Kind, Wanted};
use crate::family::{ModelFamily, OpenOptions};
use crate::latent::LatentImage;
use crate::model::AnyModel;
use crate::model_size::Stack;
use crate::models::{Found, open_vae};
use crate::spec::ModelSpec;
use crate::vae::{DecoderSize, KlDecoder};

/// The family of MAR models: class-conditional, on one grid.
#[derive(Clone, Copy, Debug)]
pub struct Mar;

impl ModelFamily for Mar {
    fn name(&self) -> &'static str {
        "mar"
    }

    fn published(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn recognises(&self, config: &Map<String, Value>) -> bool {
        config.contains_key("class_num")
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::MAR)
    }

    fn encoder_of(&self, published: &str) -> Option<Stack> {
        MarConfig::named(published).map(|config| config.encoder)
    }

    fn autoencoder(&self) -> &'static str {
        "a file like kl16.ckpt"
    }

    fn spec(&self, found: &Found) -> Result<ModelSpec, BackendError> {
        Ok(config(found)?.spec())
    }

    fn latent_image(&self, found: &Found) -> Result<LatentImage, BackendError> {
        let config = config(found)?;
        Ok(LatentImage { tokens: config.latent(), pixels: config.pixel_format(), model: config.name })
    }

    fn open(&self, found: &Found, options: &OpenOptions<'_>) -> Result<AnyModel, BackendError> {
        Ok(AnyModel::new(Box::new(open(found, options)?)))
    }
}

/// Opens a MAR model.
pub(crate) fn open(found: &Found, options: &OpenOptions<'_>) -> Result<MarGenerator, BackendError> {
    let (files, compute) = (&options.files, &options.compute);
    let config = config(found)?;
    if let (Some(vae), true) = (files.vae, config.image_decoder.is_some()) {
        return Err(BackendError::UselessAutoencoder { model: found.model().to_owned(), vae: vae.to_owned() });
    }
    let checkpoint = found.checkpoint(files, Wanted::Averaged, || MarModel::layout(&config))?;
    Kind::MAR.expect(&checkpoint)?;
    let config = if found.is_published() { config.fitted(&checkpoint)? } else { config };
    let section = checkpoint.section().clone();
    let size = DecoderSize { latent_channels: config.latent_channels, ..DecoderSize::kl16() };
    let needs_decoder = config.image_decoder.is_none();
    let generator = MarGenerator::new(MarModel::load(&config, checkpoint, compute)?, section);
    match (files.vae, files.random) {
        (Some(path), _) => {
            let (decoder, scale) = open_vae(path, compute)?;
            generator.with_vae(decoder, scale)
        }
        (None, Some(seed)) if needs_decoder => generator.with_vae(KlDecoder::random(&size, seed, compute)?, None),
        _ => Ok(generator),
    }
}

/// Returns the configuration of a model.
fn config(found: &Found) -> Result<MarConfig, BackendError> {
    match found.config() {
        Some((name, text)) => MarConfig::parse(&name, text),
        None => MarConfig::named(found.model()).ok_or_else(|| found.of_another_family()),
    }
}
