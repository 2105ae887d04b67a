//! `mar_*`: a MAR model, its parts and its runs.

use candle_core::{Device, Tensor};

use super::checks::Checks;
use super::folder::Folder;
use super::recording::Recording;
use super::runs::Replay;
use super::{chains, head, runs, transformer};
use crate::BackendError;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::mar::{Canvas, Class, MarConfig, MarGenerator, MarModel};

pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let mut generator = load(folder)?;
    let features = features_tolerance(folder);
    folder.each(checks, |stem, checks| check_one(folder, stem, &mut generator, features, checks));
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
        return folder.check_archive(stem, &Wanted::Averaged, checks);
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

fn load(folder: &Folder) -> Result<MarGenerator, BackendError> {
    let config = MarConfig::parse(&folder.name, &folder.config()?.to_string())?;
    folder.check_size(config.grid, config.buffer)?;
    let checkpoint = Checkpoint::open(&folder.weights()?)?;
    let section = checkpoint.section().clone();
    Ok(MarGenerator::new(MarModel::load(config, checkpoint, &Device::Cpu)?, section))
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
