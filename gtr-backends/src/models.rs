//! Models by name or by path.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use gtr_core::cost::ArchSpec;
use gtr_core::{Grid, TimestepLimit};

use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::files::{parse_object, read_text};
use crate::repository::{IN_REPOSITORY, RepositoryModel};
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
    /// The section of the checkpoint that holds the weights, instead of the one that names tell.
    pub section: Option<&'a str>,
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
    let fields: Result<serde_json::Map<String, serde_json::Value>, _> = parse_object(&text);
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

/// Path of a model on disk: the folder of one that is in the repository, or the path that was given.
fn place(model: &str) -> Result<PathBuf, BackendError> {
    if let Some(known) = RepositoryModel::find(model) {
        return known.place();
    }
    let path = Path::new(model);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let here = EMBEDDED.iter().map(|embedded| embedded.name).chain(IN_REPOSITORY.iter().map(|model| model.name));
    Err(BackendError::UnknownModel { name: model.to_owned(), known: here.chain(published()).collect() })
}

/// The folder of a model on disk, where its `config.json` is.
pub(crate) fn folder_of(model: &str) -> Result<PathBuf, BackendError> {
    let path = place(model)?;
    Ok(if path.is_dir() { path } else { path.parent().map_or_else(PathBuf::new, Path::to_owned) })
}

/// Path and text of the `config.json` of a model on disk.
pub(crate) fn config_beside(model: &str) -> Result<(String, String), BackendError> {
    let config = folder_of(model)?.join("config.json");
    Ok((config.display().to_string(), read_text(&config)?))
}

/// The checkpoint of a model on disk: the file itself, or the only one of the folder.
pub(crate) fn checkpoint_of(model: &str) -> Result<PathBuf, BackendError> {
    let path = place(model)?;
    if path.is_dir() { only_checkpoint(&path) } else { Ok(path) }
}

/// The endings of checkpoints; those of a later row count where a folder has none of the rows before.
const ENDINGS: [&[&str]; 3] =
    [&[".safetensors.index.json", ".bin.index.json"], &[".safetensors", ".pth"], &[".pt", ".ckpt", ".bin"]];

/// The one checkpoint of a folder.
fn only_checkpoint(folder: &Path) -> Result<PathBuf, BackendError> {
    let wrong = |source| BackendError::Read { path: folder.to_owned(), source };
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        all.push(entry.map_err(wrong)?.path());
    }
    all.sort();
    let ends = |path: &&PathBuf, endings: &[&str]| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A field may lie beside the weights.
        endings.iter().any(|ending| name.ends_with(ending) && !name.starts_with('.') && name != crate::field::FILE)
    };
    let found = ENDINGS.iter().map(|endings| all.iter().filter(|path| ends(path, endings)).collect::<Vec<_>>());
    let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match &found[..] {
        [single] => Ok((*single).clone()),
        _ => Err(BackendError::Checkpoint {
            file: folder.display().to_string(),
            reason: format!(
                "the folder holds {} checkpoints (.safetensors, .pth), it must hold one; name the file instead",
                found.len()
            ),
        }),
    }
}
