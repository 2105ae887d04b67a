//! `sample` and `plain` of LazyMAR: whole recorded runs with and without reuse, from the recorded tokens before each step.

use candle_core::Tensor;
use gtr_core::MaskedGenerator;

use super::chains::halves;
use super::checks::Checks;
use super::lazymar_run::{LazyRun, SCORES, VECTORS, kept, sampled};
use super::model::sizes;
use super::recording::Recording;
use crate::BackendError;
use crate::diffusion::Conditions;
use crate::error::Context;
use crate::mar::reuse::{GroupCache, Kept};
use crate::mar::selection::similarities;
use crate::mar::{Canvas, MarGenerator};

/// Checks a run with reuse.
pub(super) fn reusing(
    run: &LazyRun<'_>,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    run.schedule(checks)?;
    let mut canvas = run.empty(generator, run.images)?;
    // After an exchange of kept tokens, the caches differ until the next complete step.
    let mut exchanged = false;
    for step in 0..run.steps() {
        let before = caches(&mut canvas);
        exchanged &= run.cached(step).is_some();
        let found = features(run, generator, &mut canvas, step, true)?;
        let z = recorded(run.recording, run, generator, step)?;
        let after = caches(&mut canvas);
        if exchanged {
            for part in ["scores", "kept"] {
                run.recording.skip(&format!("step{step}.{part}"));
            }
        } else {
            exchanged = selection(run, step, &before, &after, checks)?;
            if !exchanged {
                vectors(&found, &z, checks)?;
            }
        }
        if run.has_noise(step) {
            let drawn = run.draw(generator, step, &z, true, checks)?;
            sampled(run.recording, step, &drawn, checks)?;
        } else {
            run.recording.skip(&format!("step{step}.sampled"));
        }
        run.write(generator, &mut canvas, step, run.images)?;
    }
    free_running(run.recording, run, true, generator, checks)
}

/// Checks a run without reuse, on the tokens and noises of `run`.
pub(super) fn plain(
    recording: &Recording,
    run: &LazyRun<'_>,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let mut canvas = run.empty(generator, run.images)?;
    for step in 0..run.steps() {
        let found = features(run, generator, &mut canvas, step, false)?;
        let z = recorded(recording, run, generator, step)?;
        vectors(&found, &z, checks)?;
        if run.has_noise(step) {
            let drawn = run.draw(generator, step, &z, false, checks)?;
            sampled(recording, step, &drawn, checks)?;
        } else {
            recording.skip(&format!("step{step}.sampled"));
        }
        run.write(generator, &mut canvas, step, run.images)?;
    }
    free_running(recording, run, false, generator, checks)
}

fn features(
    run: &LazyRun<'_>,
    generator: &mut MarGenerator,
    canvas: &mut Canvas,
    step: usize,
    reuses: bool,
) -> Result<Conditions, BackendError> {
    let targets = run.targets(generator, step, run.images)?;
    generator.features(canvas, &targets, &run.context(step, reuses))
}

/// Reads the conditioning vectors of a step.
fn recorded(
    recording: &Recording,
    run: &LazyRun<'_>,
    generator: &MarGenerator,
    step: usize,
) -> Result<Conditions, BackendError> {
    let rows = run.targets(generator, step, run.images)?.rows().len();
    halves(recording, &format!("step{step}.z"), rows, sizes(generator).1, true)
}

fn vectors(found: &Conditions, expected: &Conditions, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    checks.tensors("z", &found.conditional, &expected.conditional, VECTORS)?;
    if let (Some(found), Some(expected)) = (&found.unconditional, &expected.unconditional) {
        checks.tensors("z, unconditional", found, expected, VECTORS)?;
    }
    Ok(())
}

/// Returns the caches of the conditional half, one per image, which stay in the canvas.
fn caches(canvas: &mut Canvas) -> Vec<GroupCache> {
    let Some(kept) = canvas.take_kept::<Kept>() else { return Vec::new() };
    let caches = kept.conditional.clone();
    canvas.keep(kept);
    caches
}

/// Compares similarities and kept rows of a cached step. Returns true if rows were exchanged.
fn selection(
    run: &LazyRun<'_>,
    step: usize,
    before: &[GroupCache],
    after: &[GroupCache],
    checks: &mut Checks<'_>,
) -> Result<bool, BackendError> {
    let Some(pruning) = run.pruning(step).filter(|_| !before.is_empty()) else { return Ok(false) };
    // The device path computes all images in one group, the host path each image in a group of its own.
    let together = (run.images / before.len()).max(1);
    let mut exchanged = false;
    for image in 0..run.images {
        let (group, number) = (image / together, image % together);
        let part = |cache: &GroupCache| {
            let all = &cache.decoder[pruning.block as usize];
            let rows = all.dim(0)? / together;
            Ok((all.narrow(0, number * rows, rows)?, number * rows..(number + 1) * rows))
        };
        let part = |cache| part(cache).context("reading caches");
        let ((old, _), (new, rows)) = (part(&before[group])?, part(&after[group])?);
        let of_image = |all: &[usize]| -> Vec<usize> {
            all.iter().filter(|row| rows.contains(row)).map(|row| row - rows.start).collect()
        };
        let selected = after[group].selected.as_deref().map(of_image);
        exchanged |= compare(run, step, image, [&old, &new], selected.as_deref(), checks)?;
    }
    Ok(exchanged)
}

/// Compares similarities and kept rows of an image. `caches` are keys and values before and after the step.
pub(super) fn compare(
    run: &LazyRun<'_>,
    step: usize,
    image: usize,
    [before, after]: [&Tensor; 2],
    selected: Option<&[usize]>,
    checks: &mut Checks<'_>,
) -> Result<bool, BackendError> {
    let [heads, buffer] = ["/config/decoder_num_heads", "/constants/buffer"].map(|name| run.recording.number(name));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small sizes")]
    let (heads, buffer) = (heads? as usize, buffer? as usize);
    let rows = before.dim(0).context("reading caches")?;
    let read = |part: &str| {
        let all = run.recording.shaped(&format!("step{step}.{part}"), &[run.images, rows])?;
        all.get(image).context("reading kept tokens")
    };
    let (scores, recorded) = (read("scores")?, read("kept")?);
    let mut found = similarities(after, before, heads).context("comparing caches")?;
    // The published code ranks these as if they had changed completely.
    let (_, _, now) = run.image(step, image);
    now.iter().chain(run.previous(step, image)).for_each(|&token| found[buffer + token as usize] = 0.0);
    let found = Tensor::from_vec(found, rows, scores.device()).context("comparing caches")?;
    checks.tensors("scores", &found, &scores, SCORES)?;
    kept(checks, selected, &recorded, &scores)
}

/// Compares a run from start to end, if the noise of all steps is recorded.
fn free_running(
    recording: &Recording,
    run: &LazyRun<'_>,
    reuses: bool,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    recording.skip("tokens_final");
    if !(0..run.steps()).all(|step| run.has_noise(step)) {
        recording.skip("output");
        checks.note("the run from start to end is not compared: the noise of some steps is not recorded");
        return Ok(());
    }
    if !checks.whole_runs() {
        recording.skip("output");
        return Ok(());
    }
    let mut canvas = run.empty(generator, run.images)?;
    for step in 0..run.steps() {
        let features = features(run, generator, &mut canvas, step, reuses)?;
        let drawn = run.draw(generator, step, &features, reuses, checks)?;
        generator.commit(&mut canvas, &run.targets(generator, step, run.images)?, drawn)?;
    }
    let expected = recording.tensor("output")?;
    let least = recording.chain_tolerance("output", &expected)?.min(VECTORS);
    let tolerance = recording.tolerance_of("free_running/tokens_final", least);
    checks.tensors("output", &generator.latents(&canvas)?, &expected, tolerance)
}
