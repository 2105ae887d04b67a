//! MAR models by name or by path.

use std::path::Path;

use super::{MarConfig, MarGenerator, MarModel};
use crate::checkpoint::{Checkpoint, Kind, Wanted};
use crate::models::{Files, checkpoint_of, config_beside, embedded, open_vae, without_weights};
use crate::vae::{DecoderSize, KlDecoder};
use crate::{BackendError, Compute};

/// Opens a model of classes: one of [`EMBEDDED`](crate::EMBEDDED) by its name, or a path. A path is a checkpoint
/// (`.safetensors`, `.pth`) with a `config.json` beside it, or a folder with both. `weights` is read instead of the model's
/// own weights.
///
/// # Errors
/// As [`open_mar`].
///
/// # Examples
/// ```
/// let generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
/// assert_eq!(generator.config().classes, 10);
/// let error = gtr_backends::open("digit", None, &gtr_backends::Device::Cpu).unwrap_err();
/// assert!(error.to_string().contains("neither built in (digits"));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn open(model: &str, weights: Option<&Path>, compute: impl Into<Compute>) -> Result<MarGenerator, BackendError> {
    open_mar(model, &Files { weights, ..Files::default() }, compute)
}

/// Opens a model of classes: one of [`EMBEDDED`](crate::EMBEDDED), `mar-b`, `mar-l`, `mar-h`, or a path as in [`open`].
///
/// Sizes of a model asked for by its published name are those that the checkpoint tells, as far as the name leaves them open.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is none of these; otherwise what is missing or wrong in its files.
pub fn open_mar(model: &str, files: &Files<'_>, compute: impl Into<Compute>) -> Result<MarGenerator, BackendError> {
    let compute = compute.into();
    let device = compute.device();
    files.check()?;
    if let (Some(vae), true) = (files.vae, config(model)?.image_decoder.is_some()) {
        let vae = vae.display();
        return Err(BackendError::Request(format!(
            "the tokens of `{model}` are pixels: it takes no autoencoder, so leave out {vae}"
        )));
    }
    let (config, checkpoint) = parts(model, files)?;
    let section = checkpoint.section().clone();
    let size = DecoderSize { latent_channels: config.latent_channels, ..DecoderSize::kl16() };
    let needs_decoder = config.image_decoder.is_none();
    let generator = MarGenerator::new(MarModel::load(config, checkpoint, &compute)?, section);
    match (files.vae, files.random) {
        (Some(path), _) => generator.with_vae(open_vae(path, device)?.0),
        (None, Some(seed)) if needs_decoder => generator.with_vae(KlDecoder::random(&size, seed, device)?),
        _ => Ok(generator),
    }
}

/// The configuration of a model by name or path.
pub(crate) fn config(model: &str) -> Result<MarConfig, BackendError> {
    match (MarConfig::named(model), embedded(model)) {
        (Some(config), _) => Ok(config),
        (None, Some(embedded)) => MarConfig::parse(model, embedded.config),
        (None, None) => {
            let (path, text) = config_beside(model)?;
            MarConfig::parse(&path, &text)
        }
    }
}

fn parts(model: &str, files: &Files<'_>) -> Result<(MarConfig, Checkpoint), BackendError> {
    let (config, embedded, is_published) = (config(model)?, embedded(model), MarConfig::named(model).is_some());
    if let (Some(section), None, Some(_)) = (files.section, files.weights, embedded) {
        return Err(BackendError::Request(format!(
            "there is no section `{section}` to choose: the weights of {model} are part of the program"
        )));
    }
    let wanted = Wanted::named_or(files.section, Wanted::Averaged);
    let checkpoint = match (files.random, files.weights, embedded) {
        (Some(seed), ..) => Checkpoint::random(model, &MarModel::layout(&config), seed),
        (None, Some(weights), _) => Checkpoint::open_section(weights, &wanted)?,
        (None, None, Some(embedded)) => {
            Checkpoint::from_bytes(&format!("the built-in model {model}"), embedded.weights)?
        }
        (None, None, None) if is_published => return Err(without_weights(model)),
        (None, None, None) => Checkpoint::open_section(&checkpoint_of(model)?, &wanted)?,
    };
    Kind::Mar.expect(&checkpoint)?;
    Ok((if is_published { config.fitted(&checkpoint)? } else { config }, checkpoint))
}
