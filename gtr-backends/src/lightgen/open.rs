//! LightGen models by name or by path.

use gtr_core::Grid;

use super::{LightGenConfig, LightGenGenerator, LightGenModel};
use crate::checkpoint::{Checkpoint, Kind, Wanted};
use crate::models::{Files, checkpoint_of, config_beside, open_vae, without_weights};
use crate::vae::{DecoderSize, KlDecoder, LatentScale};
use crate::{BackendError, Compute};

/// Opens a model of texts: `lightgen-base`, `lightgen-large`, `lightgen-huge`, or a path: a checkpoint (`.safetensors`,
/// `.pth`) with a `config.json` beside it, or a folder with both. It generates on its own grid;
/// [`LightGenGenerator::set_grid`] takes it to another.
///
/// `text_width` is the width of the text encoder, if it is known: random weights are made to fit it, others must.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is none of these; otherwise what is missing or wrong in its files.
pub fn open_lightgen(
    model: &str,
    files: &Files<'_>,
    text_width: Option<usize>,
    compute: impl Into<Compute>,
) -> Result<LightGenGenerator, BackendError> {
    let compute = compute.into();
    let device = compute.device();
    files.check()?;
    let (config, checkpoint) = parts(model, files, text_width)?;
    if let Some(width) = text_width.filter(|width| *width != config.caption_channels) {
        let expected = config.caption_channels;
        let reason = format!("the text encoder has width {width}, the model takes texts of width {expected}");
        return Err(BackendError::Config { model: config.name, reason });
    }
    let section = checkpoint.section().clone();
    let size = DecoderSize { latent_channels: config.latent_channels, ..DecoderSize::stable_diffusion_3() };
    let generator = LightGenGenerator::new(LightGenModel::load(config, checkpoint, &compute)?, section);
    match (files.vae, files.random) {
        (Some(path), _) => {
            let (decoder, scale) = open_vae(path, device)?;
            generator.with_vae(decoder, scale.unwrap_or(LatentScale::STABLE_DIFFUSION_3))
        }
        (None, Some(seed)) => {
            generator.with_vae(KlDecoder::random(&size, seed, device)?, LatentScale::STABLE_DIFFUSION_3)
        }
        (None, None) => Ok(generator),
    }
}

/// How many tokens of the text encoder a prompt of a LightGen model has, padded or cut.
///
/// # Errors
/// As [`open_lightgen`], as far as the configuration is concerned.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::lightgen::prompt_length("lightgen-large")?, 128);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn prompt_length(model: &str) -> Result<usize, BackendError> {
    Ok(config(model)?.text_length)
}

/// The token grid of a LightGen model for pictures of this height and width in pixels; it reads no weights.
///
/// # Errors
/// As [`open_lightgen`], as far as the configuration is concerned; [`BackendError::Request`] for a size that is not whole tokens.
///
/// # Examples
/// ```
/// assert_eq!(gtr_backends::lightgen::grid_of("lightgen-large", 256, 512)?.to_string(), "16x32");
/// assert!(gtr_backends::lightgen::grid_of("lightgen-large", 17, 16).is_err());
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn grid_of(model: &str, height: u32, width: u32) -> Result<Grid, BackendError> {
    Ok(config(model)?.with_pixels(height, width)?.grid)
}

/// The configuration of a model by name or path.
pub(crate) fn config(model: &str) -> Result<LightGenConfig, BackendError> {
    if let Some(config) = LightGenConfig::named(model) {
        return Ok(config);
    }
    let (path, text) = config_beside(model)?;
    LightGenConfig::parse(&path, &text)
}

fn parts(
    model: &str,
    files: &Files<'_>,
    text_width: Option<usize>,
) -> Result<(LightGenConfig, Checkpoint), BackendError> {
    let (mut config, is_published) = (config(model)?, LightGenConfig::named(model).is_some());
    let wanted = Wanted::named_or(files.section, Wanted::Raw);
    let checkpoint = match (files.random, files.weights) {
        (Some(seed), _) => {
            config.caption_channels = text_width.unwrap_or(config.caption_channels);
            Checkpoint::random(model, &LightGenModel::layout(&config), seed)
        }
        (None, Some(weights)) => Checkpoint::open_section(weights, &wanted)?,
        (None, None) if is_published => return Err(without_weights(model)),
        (None, None) => Checkpoint::open_section(&checkpoint_of(model)?, &wanted)?,
    };
    Kind::LightGen.expect(&checkpoint)?;
    Ok((if is_published { config.fitted(&checkpoint)? } else { config }, checkpoint))
}
