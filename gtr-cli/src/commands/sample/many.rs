//! Generates many images, or a part of them.

use gtr_backends::Picture;
use gtr_core::Plan;

use super::progress::Progress;
use crate::args::SampleArgs;
use crate::bulk::{self, Before, Checksum, Destination, Gathered, Part, Place, Run};
use crate::error::{CliError, ExitStatus};
use crate::memory;
use crate::output;
use crate::series::{Numbering, Recipe};
use crate::signals::Stop;
use crate::table::count;

/// Returns the run that the command line describes.
pub(super) fn describe(
    args: &SampleArgs,
    place: &Place,
    (numbering, recipe, plan): (Numbering, &Recipe, &Plan),
) -> Result<Run, CliError> {
    let (model, subjects) = (&args.model, recipe.subjects());
    let fingerprint = gtr_backends::fingerprint(&model.model, &model.files(), model.text_encoder.as_deref())?;
    Ok(Run {
        plan_sha256: Checksum::of(plan.to_document().to_json().as_bytes()),
        model_sha256: Checksum::try_from(fingerprint)
            .map_err(|error| CliError::Failure(format!("the model's fingerprint: {error}")))?,
        settings: recipe.settings(scale(args)),
        layout: place.layout,
        numbering,
        subjects: subjects.clone(),
        metadata: place.metadata.clone(),
    })
}

/// Returns the scale factor. Unless --scale is given, images are not enlarged.
fn scale(args: &SampleArgs) -> usize {
    args.scale.map_or(1, |scale| scale as usize)
}

/// Returns what to do with the files of an earlier run.
fn before(args: &SampleArgs) -> Before {
    match (args.bulk.resume, args.bulk.overwrite) {
        (true, _) => Before::Continue,
        (false, true) => Before::Replace,
        (false, false) => Before::Refuse,
    }
}

/// Generates the missing images of a part. If it is the only part, also joins it.
pub(super) fn generate(
    args: &SampleArgs,
    place: &Place,
    (run, recipe): (Run, Recipe),
    ar_steps: usize,
    mut sample: impl FnMut(&[u64], &mut Progress) -> Result<Vec<Picture>, CliError>,
) -> Result<ExitStatus, CliError> {
    let started = std::time::Instant::now();
    if place.npz.is_some() {
        run.warn_of_order();
    }
    let stop = Stop::listen("run the same command with --resume to generate the missing images");
    let mut part = Part::open(place, before(args), run, (recipe, scale(args)))?;
    let earlier = part.manifest().finished.len();
    let gaps = part.manifest().gaps();
    // An estimate: the last batch before finished images may be small.
    let missing: u64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
    let batches = missing.div_ceil(args.batch.into());
    let mut progress = Progress::new(batches.saturating_mul(ar_steps as u64), missing, stop);
    let made = bulk::make(&mut part, args.batch as usize, stop, |positions| {
        let pictures = sample(positions, &mut progress)?;
        progress.done(pictures.len());
        Ok(pictures)
    });
    progress.finish();
    made?;
    let (range, done) = (part.manifest().range(), part.manifest().finished.len());
    let all = range.end - range.start;
    if done as u64 != all
        && let Some(status) = stop.asked()
    {
        output::note(format_args!(
            "stopped after {done} of {}: run the same command with --resume to generate the others",
            count(all, "image")
        ));
        return Ok(status);
    }
    if place.shard.of() == 1 {
        join(place, args.bulk.channels)?;
    }
    tell(args, place, (all, done - earlier, started.elapsed().as_secs_f64()))?;
    Ok(ExitStatus::Success)
}

/// Joins a part that is the whole run.
fn join(place: &Place, channels: Option<u8>) -> Result<(), CliError> {
    let folder = place.store.folder();
    let gathered = Gathered::read(&[folder.to_owned()])?;
    gathered.check()?;
    let Some(npz) = &place.npz else { return Destination::new(folder, &gathered, None)?.write(&gathered) };
    Destination::new(npz, &gathered, channels)?.write(&gathered)?;
    std::fs::remove_dir_all(folder)
        .map_err(|error| CliError::failure(format_args!("cannot remove {}", folder.display()), &error))
}

/// Prints the summary as text or JSON.
fn tell(args: &SampleArgs, place: &Place, (images, made, seconds): (u64, usize, f64)) -> Result<(), CliError> {
    let (shard, peak) = (place.shard, memory::peak());
    if args.wants_json() {
        let summary = serde_json::json!({
            "out": args.out.to_string_lossy(),
            "shard": shard.to_string(),
            "images": images,
            "made": made,
            "seconds": seconds,
            "peak_memory_bytes": peak,
        });
        return output::print(&format!("{summary}\n"));
    }
    let part = if shard.of() == 1 { String::new() } else { format!("part {shard}, ") };
    output::print(&format!(
        "{}: {part}{}, {made} generated now, {seconds:.2} s\n",
        args.out.display(),
        count(images, "image")
    ))?;
    if let (Some(npz), true) = (&place.npz, shard.of() > 1) {
        let (parts, npz) = (place.store.folder().display(), npz.display());
        output::note(format_args!("when all parts are complete, run: gtr-cli merge {parts} --out {npz}"));
    }
    Ok(())
}
