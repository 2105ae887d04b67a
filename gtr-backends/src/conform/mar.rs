//! `mar_*`: a MAR model, its parts and its runs.

use super::checks::Checks;
use super::folder::Folder;
use super::model::{self, Recorded};
use super::recording::Recording;
use super::transformer;
use crate::BackendError;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::mar::{Canvas, Class, MarConfig, MarGenerator, MarModel};

pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    model::check(folder, load(folder)?, checks);
    Ok(())
}

fn load(folder: &Folder) -> Result<MarGenerator, BackendError> {
    let config = MarConfig::parse(&folder.name, &folder.config()?.to_string())?;
    folder.check_size(config.grid, config.buffer)?;
    let checkpoint = Checkpoint::open(&folder.weights()?)?;
    let section = checkpoint.section().clone();
    Ok(MarGenerator::new(MarModel::load(&config, checkpoint, &folder.compute)?, section))
}

impl Recorded for MarModel {
    const SECTION: Wanted = Wanted::Averaged;

    fn tolerance(folder: &Folder) -> f64 {
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

    fn empty(&self, recording: &Recording, images: usize, guided: bool) -> Result<Canvas, BackendError> {
        let labels = transformer::labels(recording, self.config(), images)?;
        let class = |label: Option<u32>| label.map(|label| Class::new(label, self.config())).transpose();
        Ok(Canvas::new(labels.into_iter().map(class).collect::<Result<_, _>>()?, guided))
    }

    fn own(
        stem: &str,
        _folder: &Folder,
        recording: &Recording,
        generator: &mut MarGenerator,
        checks: &mut Checks<'_>,
    ) -> Result<bool, BackendError> {
        if !stem.starts_with("encdec") {
            return Ok(false);
        }
        transformer::states(recording, generator, checks)?;
        transformer::unpatchify(recording, generator, checks)?;
        Ok(true)
    }
}
