//! Shared code of the commands that generate and score images.

mod progress;

use gtr_backends::{Judge, OpenOptions};
use gtr_lab::evaluation::{Evaluator, Identity, Options, check_classes};
use gtr_lab::model::ClassModel;

use self::progress::Progress;
use crate::args::{ModelArgs, SeriesArgs, recorded_device};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::{output, signals};

/// Opens the model, and returns an evaluator that scores its images with `judge`.
pub(super) fn open<'r>(
    model: &ModelArgs,
    series: &SeriesArgs,
    judge: Judge,
    catalogue: &'r Catalogue,
) -> Result<Evaluator<'r>, CliError> {
    let name = &model.model;
    // Check the classes before loading weights.
    check_classes(name, catalogue.families.spec(name)?.classes.filter(|_| model.text_encoder.is_none()))?;
    let compute = model.compute()?;
    let device = recorded_device(compute.device());
    let generator = catalogue.families.open(name, &OpenOptions::new(model.files(), compute))?;
    if let Some(note) = generator.section().note() {
        output::note(format_args!("{name}: {note}"));
    }
    let identity = Identity {
        name: name.clone(),
        random_weights: model.random_weights,
        fingerprint: gtr_backends::fingerprint_in(&catalogue.families, name, &model.files(), None)?,
        dtype: model.dtype.name().to_owned(),
        device,
    };
    let options = Options {
        store: series.store.as_deref(),
        batch: series.batch as usize,
        interrupt: signals::interrupt(next(series)),
        notes: output::notes(),
        progress: Box::new(Progress::new()),
    };
    Ok(Evaluator::new(Box::new(ClassModel::new(generator)?), identity, judge, &catalogue.registry, options)?)
}

/// Returns the advice on how to resume a stopped run.
fn next(series: &SeriesArgs) -> &'static str {
    if series.store.is_some() { "run the same command again to resume" } else { "without --store nothing is saved" }
}

/// Converts the result of a command to its exit status. For a stopped run, prints how to resume it.
pub(super) fn ended(result: Result<(), CliError>, series: &SeriesArgs) -> Result<ExitStatus, CliError> {
    match result {
        Ok(()) => Ok(ExitStatus::Success),
        Err(CliError::Interrupted(reason)) => {
            output::note(format_args!("stopped: {}", next(series)));
            Ok(reason.into())
        }
        Err(error) => Err(error),
    }
}
