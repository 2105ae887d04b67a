//! Folders of recordings of a model: the parts common to all families, and the interface of a family.

use candle_core::Tensor;
use gtr_core::{MaskedGenerator, Targets};

use super::checks::Checks;
use super::folder::Folder;
use super::recording::Recording;
use super::{chains, head, runs};
use crate::BackendError;
use crate::checkpoint::Wanted;
use crate::error::Context;
use crate::latent::{Backbone, Canvas, LatentGenerator};

/// A model family that has recordings.
pub(super) trait Recorded: Backbone + Sized {
    /// Section of an archive that has the recorded weights.
    const SECTION: Wanted;

    /// Tolerance of conditioning vectors in whole runs, the same as for recordings of encoder and decoder.
    fn tolerance(folder: &Folder) -> f64;

    /// Creates the canvas of a recorded run before its first step.
    fn empty(&self, recording: &Recording, images: usize, guided: bool) -> Result<Canvas<Self::Prompt>, BackendError>;

    /// Prepares the model for a recorded run.
    fn prepare(
        folder: &Folder,
        recording: &Recording,
        generator: &mut LatentGenerator<Self>,
    ) -> Result<(), BackendError> {
        let _ = (folder, recording, generator);
        Ok(())
    }

    /// Compares a recording of a kind that only this family has. Returns false for an unknown kind.
    fn own(
        stem: &str,
        folder: &Folder,
        recording: &Recording,
        generator: &mut LatentGenerator<Self>,
        checks: &mut Checks<'_>,
    ) -> Result<bool, BackendError>;
}

/// Compares all recordings of a folder.
pub(super) fn check<B: Recorded>(folder: &Folder, mut generator: LatentGenerator<B>, checks: &mut Checks<'_>) {
    let tolerance = B::tolerance(folder);
    folder.each(checks, |stem, checks| check_one(folder, stem, &mut generator, tolerance, checks));
}

fn check_one<B: Recorded>(
    folder: &Folder,
    stem: &str,
    generator: &mut LatentGenerator<B>,
    tolerance: f64,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    if stem.starts_with("weights") {
        return Ok(());
    }
    if stem.starts_with("checkpoint") {
        return folder.check_archive(stem, &B::SECTION, checks);
    }
    let recording = folder.open(stem)?;
    if stem.starts_with("head") {
        head::check(&recording, generator.model().head(), checks)?;
    } else if stem.starts_with("p_sample_loop") {
        chains::check(&recording, generator.model().head(), checks)?;
    } else if stem.starts_with("sample") {
        B::prepare(folder, &recording, generator)?;
        runs::check(&recording, generator, tolerance, checks)?;
    } else if !B::own(stem, folder, &recording, generator, checks)? {
        checks.note("not checked: unknown name");
        return Ok(());
    }
    checks.unused(&recording);
    Ok(())
}

/// Number of channels of a token and length of a conditioning vector.
pub(super) fn sizes<B: Backbone>(generator: &LatentGenerator<B>) -> (usize, usize) {
    (generator.model().tokens().width(), generator.model().head().size().condition)
}

/// Writes values `[images, tokens, channels]` to complete canvases and returns them as latent images.
pub(super) fn latents<B: Backbone>(
    generator: &mut LatentGenerator<B>,
    images: usize,
    values: &Tensor,
) -> Result<Tensor, BackendError> {
    let order: Vec<_> = generator.grid().iter().collect();
    let mut canvas = Canvas::new(vec![None; images], false);
    let targets = Targets::new((0..images).map(|_| order.as_slice()));
    generator.commit(&mut canvas, &targets, values.flatten_to(1).context("reading tokens")?)?;
    generator.latents(&canvas)
}
