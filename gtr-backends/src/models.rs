//! Models by name or by path.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::files::read_text;
use crate::mar::{MarConfig, MarGenerator, MarModel};

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
    config: &'static str,
    weights: &'static [u8],
}

/// All models that are part of the program.
pub const EMBEDDED: &[EmbeddedModel] = &[EmbeddedModel {
    name: "digits",
    summary: "handwritten digits, 8x8 tokens, 32x32 pixels, 10 classes, 3 million parameters",
    card: include_str!("../../models/mar-digits/README.md"),
    config: include_str!("../../models/mar-digits/config.json"),
    weights: include_bytes!("../../models/mar-digits/mar-digits.safetensors"),
}];

/// Opens a model: one of [`EMBEDDED`] by its name, or a path. A path is a checkpoint (`.safetensors`, `.pth`) with a
/// `config.json` beside it, or a folder with both. `weights` is read instead of the model's own weights.
///
/// # Errors
/// [`BackendError::UnknownModel`] if it is neither; otherwise what is wrong with its configuration or weights.
///
/// # Examples
/// ```
/// let generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?;
/// assert_eq!(generator.config().classes, 10);
/// let error = gtr_backends::open("digit", None, &gtr_backends::Device::Cpu).unwrap_err();
/// assert!(error.to_string().contains("neither built in (digits) nor a path"));
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
pub fn open(model: &str, weights: Option<&Path>, device: &Device) -> Result<MarGenerator, BackendError> {
    if let Some(embedded) = EMBEDDED.iter().find(|embedded| embedded.name == model) {
        let checkpoint = match weights {
            Some(path) => Checkpoint::open(path)?,
            None => Checkpoint::from_bytes(&format!("the built-in model {model}"), embedded.weights)?,
        };
        return generator(MarConfig::parse(model, embedded.config)?, checkpoint, device);
    }
    let path = Path::new(model);
    if !path.exists() {
        let known = EMBEDDED.iter().map(|embedded| embedded.name).collect();
        return Err(BackendError::UnknownModel { name: model.to_owned(), known });
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let config = folder.join("config.json");
    let config = MarConfig::parse(&config.display().to_string(), &read_text(&config)?)?;
    let checkpoint = match weights {
        Some(weights) => weights.to_owned(),
        None if path.is_dir() => only_checkpoint(path)?,
        None => path.to_owned(),
    };
    generator(config, Checkpoint::open(&checkpoint)?, device)
}

fn generator(config: MarConfig, checkpoint: Checkpoint, device: &Device) -> Result<MarGenerator, BackendError> {
    let section = checkpoint.section();
    Ok(MarGenerator::new(MarModel::load(config, checkpoint, device)?, section))
}

/// The one checkpoint of a folder.
fn only_checkpoint(folder: &Path) -> Result<PathBuf, BackendError> {
    let wrong = |source| BackendError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors" || extension == "pth") {
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
