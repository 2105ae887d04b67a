//! `mar_*`: a MAR model, its parts and its runs.

use candle_core::{Device, Tensor};

use super::checks::Checks;
use super::recording::{Recording, ending};
use super::runs::Replay;
use super::walk::Folder;
use super::{chains, head, runs, transformer};
use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::mar::{Canvas, Class, MarConfig, MarGenerator, MarModel};

/// Larger grids are not checked: attention over them takes gigabytes.
const MOST_TOKENS: usize = 4096;

/// Arguments of the published constructor that change nothing about sampling.
const OF_TRAINING: [&str; 7] = [
    "mask_ratio_min",
    "label_drop_prob",
    "attn_dropout",
    "proj_dropout",
    "dropout",
    "diffusion_batch_mul",
    "grad_checkpointing",
];

pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let mut generator = load(folder)?;
    let features = features_tolerance(folder);
    for stem in folder.chosen() {
        let mut checks = checks.of(&format!("{}/{stem}", folder.name));
        if let Err(error) = check_one(folder, stem, &mut generator, features, &mut checks) {
            checks.problem(&error);
        }
    }
    Ok(())
}

fn check_one(
    folder: &Folder,
    stem: &str,
    generator: &mut MarGenerator,
    features: f64,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    if stem.starts_with("weights") {
        return Ok(());
    }
    if stem.starts_with("checkpoint") {
        return archive(folder, stem, checks);
    }
    let recording = folder.open(stem)?;
    match stem {
        _ if stem.starts_with("encdec") => {
            transformer::states(&recording, generator, checks)?;
            transformer::unpatchify(&recording, generator, checks)?;
        }
        _ if stem.starts_with("head") => head::check(&recording, generator.model().head(), checks)?,
        _ if stem.starts_with("p_sample_loop") => chains::check(&recording, generator.model().head(), checks)?,
        _ if stem.starts_with("sample") => runs::check(&recording, generator, features, checks)?,
        _ => {
            checks.note("not checked: nothing is known by such a name");
            return Ok(());
        }
    }
    checks.unused(&recording);
    Ok(())
}

/// The model: weights from `weights*.safetensors`, or else from `checkpoint*.pth`.
fn load(folder: &Folder) -> Result<MarGenerator, BackendError> {
    let wrong =
        |reason: &str| BackendError::Recording { file: folder.path.display().to_string(), reason: reason.into() };
    let weights = weights(folder).ok_or_else(|| wrong("there are no weights beside the recordings"))?;
    // Every recording tells the configuration; the weights' own counts first.
    let recordings = folder.all("weights").chain(folder.all("")).map(|stem| folder.open(stem));
    let mut config = None;
    for recording in recordings {
        // What else is wrong with a recording is said when it is checked.
        if let Some(found) = recording.ok().and_then(|recording| recording.json.get("config").cloned()) {
            config = Some(found);
            break;
        }
    }
    let mut config = config.ok_or_else(|| wrong("no recording tells the model's `config`"))?;
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|name, _| !OF_TRAINING.contains(&name.as_str()));
    }
    let config = MarConfig::parse(&folder.name, &config.to_string())?;
    if config.tokens() + config.buffer > MOST_TOKENS {
        return Err(wrong(&format!("a grid of {} is not checked: at most {MOST_TOKENS} tokens are", config.grid)));
    }
    let checkpoint = Checkpoint::open(&weights)?;
    let section = checkpoint.section();
    Ok(MarGenerator::new(MarModel::load(config, checkpoint, &Device::Cpu)?, section))
}

fn weights(folder: &Folder) -> Option<std::path::PathBuf> {
    let file = |stem: &str, kind: &str| Some(ending(&folder.path.join(stem), kind)).filter(|path| path.exists());
    let plain = folder.all("weights").find_map(|stem| file(stem, "safetensors"));
    plain.or_else(|| folder.all("checkpoint").find_map(|stem| file(stem, "pth")))
}

/// What conditioning vectors in whole runs may differ by: as in the recordings of encoder and decoder beside them.
fn features_tolerance(folder: &Folder) -> f64 {
    let mut tolerance = 1e-5_f64;
    for recording in folder.all("encdec").filter_map(|stem| folder.open(stem).ok()) {
        for name in recording.names().unwrap_or_default() {
            if recording.noise(&name).is_some() {
                tolerance = tolerance.max(recording.tolerance_of(&name, tolerance));
            }
        }
    }
    tolerance
}

/// The weights of a `torch.save` archive are those that lie beside it.
fn archive(folder: &Folder, stem: &str, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let path = ending(&folder.path.join(stem), "pth");
    let Some(weights) = weights(folder).filter(|weights| *weights != path && path.exists()) else { return Ok(()) };
    let (mut archive, mut plain) = (Checkpoint::open(&path)?, Checkpoint::open(&weights)?);
    let names: Vec<String> = plain.tensors().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        let (found, expected) = (widen(archive.read_f32(&name)?), widen(plain.read_f32(&name)?));
        checks.numbers("weights", &found, &expected, super::Tolerance::Exact);
    }
    Ok(())
}

impl Replay for MarGenerator {
    fn empty(&mut self, recording: &Recording, images: usize, guided: bool) -> Result<Canvas, BackendError> {
        let labels = transformer::labels(recording, self, images)?;
        let class = |label: Option<u32>| label.map(|label| Class::new(label, self.config())).transpose();
        Ok(Canvas::new(labels.into_iter().map(class).collect::<Result<_, _>>()?, guided))
    }

    fn latents(&self, canvas: &Canvas) -> Result<Tensor, BackendError> {
        Self::latents(self, canvas)
    }

    fn sizes(&self) -> (usize, usize) {
        (self.config().token_channels(), self.config().decoder.width)
    }
}
