//! A folder with the weights, the configuration and the recordings of one model.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gtr_core::Grid;
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, ending};
use super::report::Tolerance;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::{BackendError, Compute};

/// Longest sequence that is checked. Attention over longer sequences needs gigabytes of memory.
const LONGEST: usize = 4096;

/// Arguments of the published constructors that do not affect sampling.
const OF_TRAINING: [&str; 7] = [
    "mask_ratio_min",
    "label_drop_prob",
    "attn_dropout",
    "proj_dropout",
    "dropout",
    "diffusion_batch_mul",
    "grad_checkpointing",
];

pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Name for messages.
    pub(super) name: String,
    /// Names of the recordings, without file extensions.
    pub(super) stems: BTreeSet<String>,
    /// The only recording to check; `None` for all.
    pub(super) only: Option<String>,
    /// Device and type of the model.
    pub(super) compute: Compute,
}

impl Folder {
    /// Names of all recordings that start with `prefix`, including those that are not checked.
    pub(super) fn all(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.stems.iter().map(String::as_str).filter(move |stem| stem.starts_with(prefix))
    }

    pub(super) fn open(&self, stem: &str) -> Result<Recording, BackendError> {
        Recording::open(&self.path.join(stem), &self.compute)
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> BackendError {
        BackendError::Recording { file: self.path.display().to_string(), reason: reason.into() }
    }

    /// Checks the selected recordings. An error in one recording does not affect the others.
    pub(super) fn each(
        &self,
        checks: &mut Checks<'_>,
        mut check: impl FnMut(&str, &mut Checks<'_>) -> Result<(), BackendError>,
    ) {
        for stem in self.stems.iter().filter(|stem| self.only.as_ref().is_none_or(|only| only == *stem)) {
            let mut checks = checks.of(&format!("{}/{stem}", self.name));
            if let Err(error) = check(stem, &mut checks) {
                checks.problem(&error);
            }
        }
    }

    /// Reads the model configuration from the recordings, those of the weights first.
    pub(super) fn config(&self) -> Result<Value, BackendError> {
        let recordings = self.all("weights").chain(self.all("")).map(|stem| self.open(stem));
        // Other errors of a recording are reported when it is checked.
        let mut configs = recordings.filter_map(|recording| recording.ok()?.json.get("config").cloned());
        let mut config = configs.next().ok_or_else(|| self.wrong("no recording has the `config` of the model"))?;
        if let Some(fields) = config.as_object_mut() {
            fields.retain(|name, _| !OF_TRAINING.contains(&name.as_str()));
        }
        Ok(config)
    }

    /// Finds the weights: `weights*.safetensors`, otherwise `checkpoint*.pth`.
    pub(super) fn weights(&self) -> Result<PathBuf, BackendError> {
        let file = |stem: &str, kind: &str| Some(ending(&self.path.join(stem), kind)).filter(|path| path.exists());
        let plain = self.all("weights").find_map(|stem| file(stem, "safetensors"));
        let found = plain.or_else(|| self.all("checkpoint").find_map(|stem| file(stem, "pth")));
        found.ok_or_else(|| self.wrong("there are no weights next to the recordings"))
    }

    /// Returns an error if the sequences of the model are too long.
    pub(super) fn check_size(&self, grid: Grid, buffer: usize) -> Result<(), BackendError> {
        if grid.tokens() + buffer > LONGEST {
            return Err(self.wrong(format!("expected a grid of at most {LONGEST} tokens, found {grid}")));
        }
        Ok(())
    }

    /// Checks that the wanted weights in a `torch.save` archive equal the weights next to it.
    pub(super) fn check_archive(
        &self,
        stem: &str,
        wanted: &Wanted,
        checks: &mut Checks<'_>,
    ) -> Result<(), BackendError> {
        let (path, weights) = (ending(&self.path.join(stem), "pth"), self.weights()?);
        if weights == path || !path.exists() {
            return Ok(());
        }
        let (mut archive, mut plain) = (Checkpoint::open_section(&path, wanted)?, Checkpoint::open(&weights)?);
        let names: Vec<String> = plain.tensors().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
            let (found, expected) = (widen(archive.read_f32(&name)?), widen(plain.read_f32(&name)?));
            checks.numbers("weights", &found, &expected, Tolerance::Exact);
        }
        Ok(())
    }
}
