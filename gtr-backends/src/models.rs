//! Built-in models, models on disk, and their files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, Wanted, WeightLayout};
use crate::repository::RepositoryModel;
use crate::vae::{KlDecoder, LatentScale, open_diffusers};
use crate::{BackendError, Compute};

/// A built-in model.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EmbeddedModel {
    /// Name on the command line.
    pub name: &'static str,
    /// Short description.
    pub summary: &'static str,
    /// Model card: origin, training and quality.
    pub card: &'static str,
    pub(crate) config: &'static str,
    pub(crate) weights: &'static [u8],
    /// Its field, measured by `gtr-cli field`.
    pub(crate) field: Option<&'static [u8]>,
}

/// All built-in models.
pub const EMBEDDED: &[EmbeddedModel] = &[EmbeddedModel {
    name: "digits",
    summary: "handwritten digits, 8x8 tokens, 32x32 pixels, 10 classes, 3 million parameters",
    card: include_str!("../../models/mar-digits/README.md"),
    config: include_str!("../../models/mar-digits/config.json"),
    weights: include_bytes!("../../models/mar-digits/mar-digits.safetensors"),
    field: Some(include_bytes!("../../models/mar-digits/field.safetensors")),
}];

/// Files of a model that replace its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// Checkpoint; `None` for that of the model.
    pub weights: Option<&'a Path>,
    /// Section of the checkpoint; `None` selects it by name.
    pub section: Option<&'a str>,
    /// Autoencoder: a checkpoint, or a folder in the layout of diffusers.
    pub vae: Option<&'a Path>,
    /// Seed of random weights in place of a checkpoint. A missing autoencoder is then random, too.
    pub random: Option<u64>,
}

impl Files<'_> {
    /// Refuses two sources of weights.
    pub(crate) fn check(&self) -> Result<(), BackendError> {
        match (self.weights, self.random) {
            (Some(path), Some(_)) => Err(BackendError::TwoWeights { path: path.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// Location of a model.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Published model: its configuration is built in, its weights are not.
    Published,
    /// Built-in model.
    BuiltIn(&'static EmbeddedModel),
    /// Path of the model, and path and text of its `config.json`.
    OnDisk { path: PathBuf, config: PathBuf, text: String },
}

/// A model and its configuration, as returned by [`Families::find`](crate::Families::find).
#[derive(Clone, Debug)]
pub struct Found {
    model: String,
    source: Source,
}

impl Found {
    pub(crate) fn new(model: &str, source: Source) -> Self {
        Self { model: model.to_owned(), source }
    }

    /// Requested name or path.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns true for a published model, whose configuration is built in.
    pub fn is_published(&self) -> bool {
        matches!(self.source, Source::Published)
    }

    /// Returns the name and the text of the configuration; `None` for a published model.
    pub fn config(&self) -> Option<(String, &str)> {
        match &self.source {
            Source::Published => None,
            Source::BuiltIn(embedded) => Some((self.model.clone(), embedded.config)),
            Source::OnDisk { config, text, .. } => Some((config.display().to_string(), text)),
        }
    }

    /// Location of the model.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the error for a published model of another family.
    pub(crate) fn of_another_family(&self) -> BackendError {
        BackendError::OtherFamily { model: self.model.clone() }
    }

    /// Opens the checkpoint of the model: random weights, the given checkpoint, or its own. `section` is the default
    /// section, `layout` returns the tensors of random weights.
    ///
    /// # Errors
    /// [`BackendError::WithoutWeights`] for a published model without a checkpoint; otherwise an error of its files.
    pub fn checkpoint(
        &self,
        files: &Files<'_>,
        section: Wanted,
        layout: impl FnOnce() -> Result<WeightLayout, BackendError>,
    ) -> Result<Checkpoint, BackendError> {
        files.check()?;
        let model = &self.model;
        if let (Some(section), None, Source::BuiltIn(_)) = (files.section, files.weights, &self.source) {
            return Err(BackendError::NoSections { model: model.clone(), section: section.to_owned() });
        }
        let wanted = Wanted::named_or(files.section, section);
        match (files.random, files.weights, &self.source) {
            (Some(seed), ..) => Ok(Checkpoint::random(model, &layout()?, seed)),
            (None, Some(weights), _) => Checkpoint::open_section(weights, &wanted),
            (None, None, Source::BuiltIn(embedded)) => {
                Checkpoint::from_bytes(&format!("the built-in model {model}"), embedded.weights)
            }
            (None, None, Source::Published) => Err(BackendError::WithoutWeights { model: model.clone() }),
            (None, None, Source::OnDisk { path, .. }) => Checkpoint::open_section(&checkpoint_of(path)?, &wanted),
        }
    }
}

/// Returns the checkpoint of a model on disk: the file itself, or the only checkpoint of the folder.
pub(crate) fn checkpoint_of(path: &Path) -> Result<PathBuf, BackendError> {
    if path.is_dir() { only_checkpoint(path) } else { Ok(path.to_owned()) }
}

/// Opens an autoencoder from a file, or from a folder that also states the scale of the latents.
pub(crate) fn open_vae(path: &Path, compute: &Compute) -> Result<(KlDecoder, Option<LatentScale>), BackendError> {
    if path.is_dir() {
        let (decoder, scale) = open_diffusers(path, compute)?;
        return Ok((decoder, Some(scale)));
    }
    Ok((KlDecoder::load(Checkpoint::open(path)?, compute)?, None))
}

pub(crate) fn embedded(model: &str) -> Option<&'static EmbeddedModel> {
    EMBEDDED.iter().find(|embedded| embedded.name == model)
}

/// Returns the path of a model on disk: the folder of a model of the repository, or the given path. Returns `None` if
/// the path does not exist.
pub(crate) fn place(model: &str) -> Result<Option<PathBuf>, BackendError> {
    if let Some(known) = RepositoryModel::find(model) {
        return known.place().map(Some);
    }
    let path = Path::new(model);
    Ok(path.exists().then(|| path.to_owned()))
}

/// Returns the folder of a model on disk, which has its `config.json`.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { path.parent().map_or_else(PathBuf::new, Path::to_owned) }
}

/// File name of a model's field, in its folder.
pub(crate) const FIELD: &str = "field.safetensors";

/// File name endings of checkpoints. A later row is used only if a folder has no file of an earlier row.
const ENDINGS: [&[&str]; 3] =
    [&[".safetensors.index.json", ".bin.index.json"], &[".safetensors", ".pth"], &[".pt", ".ckpt", ".bin"]];

/// Returns the only checkpoint of a folder.
fn only_checkpoint(folder: &Path) -> Result<PathBuf, BackendError> {
    let wrong = |source| BackendError::Read { path: folder.to_owned(), source };
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        all.push(entry.map_err(wrong)?.path());
    }
    all.sort();
    let ends = |path: &&PathBuf, endings: &[&str]| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The folder may also have a field.
        endings.iter().any(|ending| name.ends_with(ending) && !name.starts_with('.') && name != FIELD)
    };
    let found = ENDINGS.iter().map(|endings| all.iter().filter(|path| ends(path, endings)).collect::<Vec<_>>());
    let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match &found[..] {
        [single] => Ok((*single).clone()),
        _ => Err(BackendError::Checkpoint {
            file: folder.display().to_string(),
            reason: format!(
                "expected one checkpoint (.safetensors, .pth) in the folder, found {}; give the path of the file instead",
                found.len()
            ),
        }),
    }
}
