//! Models that are part of the program, models on disk, and their files.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::BackendError;
use crate::checkpoint::{Checkpoint, Layout, Wanted};
use crate::repository::RepositoryModel;
use crate::vae::{KlDecoder, LatentScale, open_diffusers};

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

impl Files<'_> {
    /// Refuses two sources of weights.
    pub(crate) fn check(&self) -> Result<(), BackendError> {
        match (self.weights, self.random) {
            (Some(path), Some(_)) => Err(BackendError::TwoWeights { path: path.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// Where a model is.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Known by name: its sizes are in the program, its weights are not.
    Published,
    /// Part of the program.
    BuiltIn(&'static EmbeddedModel),
    /// A path, and the `config.json` there.
    OnDisk { path: PathBuf, config: PathBuf, text: String },
}

/// A model that was found, and its configuration. [`Families::find`](crate::Families::find) gives it.
#[derive(Clone, Debug)]
pub struct Found {
    model: String,
    source: Source,
}

impl Found {
    pub(crate) fn new(model: &str, source: Source) -> Self {
        Self { model: model.to_owned(), source }
    }

    /// What was asked for: a name or a path.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether it is known by name, with sizes that are part of the program.
    pub fn is_published(&self) -> bool {
        matches!(self.source, Source::Published)
    }

    /// The name and the text of its configuration, unless it is known by name.
    pub fn config(&self) -> Option<(String, &str)> {
        match &self.source {
            Source::Published => None,
            Source::BuiltIn(embedded) => Some((self.model.clone(), embedded.config)),
            Source::OnDisk { config, text, .. } => Some((config.display().to_string(), text)),
        }
    }

    /// Where it is.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// What is said if it is known by a name that another family gives.
    pub(crate) fn of_another_family(&self) -> BackendError {
        BackendError::OtherFamily { model: self.model.clone() }
    }

    /// The checkpoint of the model: random, given, its own. `section` is what is taken of it unless the files name one, `layout`
    /// the tensors that random weights are made for.
    ///
    /// # Errors
    /// [`BackendError::WithoutWeights`] for a model that is known by name alone, else what is wrong with the files.
    pub fn checkpoint(
        &self,
        files: &Files<'_>,
        section: Wanted,
        layout: impl FnOnce() -> Result<Layout, BackendError>,
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

/// The checkpoint of a model on disk: the file itself, or the only one of the folder.
pub(crate) fn checkpoint_of(path: &Path) -> Result<PathBuf, BackendError> {
    if path.is_dir() { only_checkpoint(path) } else { Ok(path.to_owned()) }
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

/// Path of a model on disk: the folder of one that is in the repository, or the path that was given; `None` if there is no
/// such path.
pub(crate) fn place(model: &str) -> Result<Option<PathBuf>, BackendError> {
    if let Some(known) = RepositoryModel::find(model) {
        return known.place().map(Some);
    }
    let path = Path::new(model);
    Ok(path.exists().then(|| path.to_owned()))
}

/// The folder of a model on disk, where its `config.json` is.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { path.parent().map_or_else(PathBuf::new, Path::to_owned) }
}

/// The field of a model, in its folder.
pub(crate) const FIELD: &str = "field.safetensors";

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
        endings.iter().any(|ending| name.ends_with(ending) && !name.starts_with('.') && name != FIELD)
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
