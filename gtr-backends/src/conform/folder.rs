//! A folder of recordings of one model: its weights, its configuration, its recordings.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gtr_core::Grid;
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, ending};
use super::report::Tolerance;
use crate::BackendError;
use crate::checkpoint::{Checkpoint, Wanted};

/// Longer sequences are not checked: attention over them takes gigabytes.
const LONGEST: usize = 4096;

/// Arguments of the published constructors that change nothing about sampling.
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
    /// Its name.
    pub(super) name: String,
    /// The names of its recordings, without endings.
    pub(super) stems: BTreeSet<String>,
    /// The one recording to check; none: all.
    pub(super) only: Option<String>,
}

impl Folder {
    /// The names of the recordings that begin with `prefix`, whether they are to be checked or not.
    pub(super) fn all(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.stems.iter().map(String::as_str).filter(move |stem| stem.starts_with(prefix))
    }

    pub(super) fn open(&self, stem: &str) -> Result<Recording, BackendError> {
        Recording::open(&self.path.join(stem))
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> BackendError {
        BackendError::Recording { file: self.path.display().to_string(), reason: reason.into() }
    }

    /// Checks the recordings that are to be checked, each by itself: what is wrong with one leaves the others.
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

    /// What the recordings say of the model, those of the weights first.
    pub(super) fn config(&self) -> Result<Value, BackendError> {
        let recordings = self.all("weights").chain(self.all("")).map(|stem| self.open(stem));
        // What else is wrong with a recording is said when it is checked.
        let mut configs = recordings.filter_map(|recording| recording.ok()?.json.get("config").cloned());
        let mut config = configs.next().ok_or_else(|| self.wrong("no recording tells the model's `config`"))?;
        if let Some(fields) = config.as_object_mut() {
            fields.retain(|name, _| !OF_TRAINING.contains(&name.as_str()));
        }
        Ok(config)
    }

    /// The file of the weights: `weights*.safetensors`, or else `checkpoint*.pth`.
    pub(super) fn weights(&self) -> Result<PathBuf, BackendError> {
        let file = |stem: &str, kind: &str| Some(ending(&self.path.join(stem), kind)).filter(|path| path.exists());
        let plain = self.all("weights").find_map(|stem| file(stem, "safetensors"));
        let found = plain.or_else(|| self.all("checkpoint").find_map(|stem| file(stem, "pth")));
        found.ok_or_else(|| self.wrong("there are no weights beside the recordings"))
    }

    /// Refuses models whose sequences are too long to be checked.
    pub(super) fn check_size(&self, grid: Grid, buffer: usize) -> Result<(), BackendError> {
        if grid.tokens() + buffer > LONGEST {
            return Err(self.wrong(format!("a grid of {grid} is not checked: at most {LONGEST} tokens are")));
        }
        Ok(())
    }

    /// The weights of a `torch.save` archive, as they are wanted, are those that lie beside it.
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
