//! Models by name or by path.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use gtr_core::cost::ArchSpec;
use gtr_core::{Grid, TimestepLimit};

use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::files::read_text;
use crate::vae::{KlDecoder, LatentScale, open_diffusers};
use crate::{lightgen, mar};

/// A model that is part of the program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EmbeddedModel {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it makes, in a few words.
    pub summary: &'static str,
    /// Where it comes from, how it was trained, what it can do.
    pub card: &'static str,
    pub(crate) config: &'static str,
    pub(crate) weights: &'static [u8],
    /// Its field, as `gtr-cli field` measured it.
    pub(crate) field: Option<&'static [u8]>,
}

/// All models that are part of the program.
pub const EMBEDDED: &[EmbeddedModel] = &[EmbeddedModel {
    name: "digits",
    summary: "handwritten digits, 8x8 tokens, 32x32 pixels, 10 classes, 3 million parameters",
    card: include_str!("../../models/mar-digits/README.md"),
    config: include_str!("../../models/mar-digits/config.json"),
    weights: include_bytes!("../../models/mar-digits/mar-digits.safetensors"),
    field: Some(include_bytes!("../../models/mar-digits/field.safetensors")),
}];

/// The published models that are known by name; their weights are not part of the program.
pub fn published() -> impl Iterator<Item = &'static str> {
    mar::NAMES.into_iter().chain(lightgen::NAMES)
}

/// What a model is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Images of a class: [`open_mar`](crate::open_mar).
    Mar,
    /// Images of a text: [`open_lightgen`](crate::open_lightgen).
    LightGen,
}

/// The files of a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// A checkpoint, instead of the model's own.
    pub weights: Option<&'a Path>,
    /// The autoencoder: a checkpoint, or a folder as diffusers writes it.
    pub vae: Option<&'a Path>,
    /// Random weights of this seed instead of a checkpoint, and a random autoencoder where one is needed and not given.
    pub random: Option<u64>,
}

/// Which family a model is of, told by its name or its configuration.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is neither a name nor a path, [`BackendError::Read`] for a path without a readable
/// `config.json`.
///
/// # Examples
/// ```
/// use gtr_backends::{Family, family};
/// assert_eq!(family("mar-l")?, Family::Mar);
/// assert_eq!(family("lightgen-large")?, Family::LightGen);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn family(model: &str) -> Result<Family, BackendError> {
    if lightgen::NAMES.contains(&model) {
        return Ok(Family::LightGen);
    }
    if mar::NAMES.contains(&model) || embedded(model).is_some() {
        return Ok(Family::Mar);
    }
    let (_, text) = config_beside(model)?;
    // Only one family knows this field; anything else wrong with the file is said when it is read in full.
    let fields: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&text);
    let text_model = fields.is_ok_and(|fields| fields.contains_key("caption_channels"));
    Ok(if text_model { Family::LightGen } else { Family::Mar })
}

/// What is known of a model without its weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// The sizes that decide what a plan costs.
    pub arch: ArchSpec,
    /// Its token grid.
    pub grid: Grid,
    /// The timesteps that it is good for.
    pub timestep_limit: TimestepLimit,
    /// Its own scale of guidance.
    pub guidance: Option<f64>,
    /// Number of its classes, if it makes images of classes.
    pub classes: Option<usize>,
}

/// Looks up what is known of a model without its weights.
///
/// # Errors
/// As [`family`], and [`BackendError::Config`] for a configuration that is not possible.
///
/// # Examples
/// ```
/// let spec = gtr_backends::spec("mar-h")?;
/// assert_eq!((spec.grid.tokens(), spec.arch.head.depth), (256, 12));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn spec(model: &str) -> Result<ModelSpec, BackendError> {
    match family(model)? {
        Family::Mar => {
            let config = mar::config(model)?;
            let (arch, timestep_limit) = (config.arch(), config.timestep_limit());
            let classes = Some(config.classes);
            Ok(ModelSpec { arch, grid: config.grid, timestep_limit, guidance: config.guidance, classes })
        }
        Family::LightGen => {
            let config = lightgen::config(model)?;
            let (arch, timestep_limit) = (config.arch(), TimestepLimit::NONE);
            Ok(ModelSpec { arch, grid: config.grid, timestep_limit, guidance: config.guidance, classes: None })
        }
    }
}

impl Files<'_> {
    /// Refuses two sources of weights.
    pub(crate) fn check(&self) -> Result<(), BackendError> {
        match (self.weights, self.random) {
            (Some(path), Some(_)) => Err(BackendError::Request(format!(
                "weights are either random or those of {}, not both",
                path.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// What is said of a model that is known by name only.
pub(crate) fn without_weights(model: &str) -> BackendError {
    BackendError::Request(format!("the weights of {model} are not part of the program: give its checkpoint"))
}

/// An autoencoder in a file, or in a folder that may state the scale of its latents.
pub(crate) fn open_vae(path: &Path, device: &Device) -> Result<(KlDecoder, Option<LatentScale>), BackendError> {
    if path.is_dir() {
        let (decoder, scale) = open_diffusers(path, device)?;
        return Ok((decoder, Some(scale)));
    }
    Ok((KlDecoder::load(Checkpoint::open(path)?, device)?, None))
}

pub(crate) fn embedded(model: &str) -> Option<&'static EmbeddedModel> {
    EMBEDDED.iter().find(|embedded| embedded.name == model)
}

/// Path and text of the `config.json` of a model on disk.
pub(crate) fn config_beside(model: &str) -> Result<(String, String), BackendError> {
    let path = Path::new(model);
    if !path.exists() {
        let known = EMBEDDED.iter().map(|embedded| embedded.name).chain(published()).collect();
        return Err(BackendError::UnknownModel { name: model.to_owned(), known });
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let config = folder.join("config.json");
    Ok((config.display().to_string(), read_text(&config)?))
}

/// The checkpoint of a model on disk: the file itself, or the only one of the folder.
pub(crate) fn checkpoint_of(model: &str) -> Result<PathBuf, BackendError> {
    let path = Path::new(model);
    if path.is_dir() { only_checkpoint(path) } else { Ok(path.to_owned()) }
}

/// The one checkpoint of a folder.
fn only_checkpoint(folder: &Path) -> Result<PathBuf, BackendError> {
    let wrong = |source| BackendError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let is_weights = path.extension().is_some_and(|extension| extension == "safetensors" || extension == "pth");
        if is_weights && path.file_name().is_none_or(|name| name != crate::field::FILE) {
            found.push(path);
        }
    }
    found.sort();
    match &found[..] {
        [single] => Ok(single.clone()),
        _ => Err(BackendError::Checkpoint {
            file: folder.display().to_string(),
            reason: format!(
                "the folder holds {} files that end in .safetensors or .pth, it must hold one; name the file instead",
                found.len()
            ),
        }),
    }
}
