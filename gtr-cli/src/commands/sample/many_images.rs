//! Generates many images, or one shard of them.

use gtr_backends::{BackendError, Families, Picture};
use gtr_core::sampler::SampleError;
use gtr_core::{Plan, count};
use gtr_run::bulk::{
    self, Before, BulkDestination, Checksum, FolderLayout, Gathered, MergeOutput, Part, Request, Run, Shard,
};
use gtr_run::path::is_npz;
use gtr_run::series::{Numbering, Recipe};

use super::progress::Progress;
use super::scale;
use crate::args::SampleArgs;
use crate::error::{CliError, ExitStatus};
use crate::{memory, output, signals};

/// Returns the destination of many images, or `None` if the command line does not request many. Checks that it can be written, before
/// a model is loaded.
pub(super) fn place(args: &SampleArgs) -> Result<Option<BulkDestination>, CliError> {
    let (bulk, out) = (&args.bulk, &args.out);
    let npz = is_npz(out);
    if !npz && bulk.channels.is_some() {
        return Err(CliError::usage("--channels requires an archive: give --out FILE.npz"));
    }
    if !npz && bulk.classes.is_none() && bulk.layout.is_none() && bulk.shard.is_none() && !bulk.resume {
        return Ok(None);
    }
    let layout = bulk.layout.map_or(FolderLayout::Flat, FolderLayout::from);
    if layout != FolderLayout::Flat && npz {
        return Err(CliError::usage("--layout requires a folder: give --out DIR/"));
    }
    if args.trace.is_some() {
        return Err(CliError::usage("--trace is not available for an archive: give --out FILE.png or DIR/"));
    }
    let shard = bulk.shard.map(|choice| choice.resolve(|name| std::env::var(name).ok())).transpose()?;
    let shard = shard.unwrap_or(Shard::WHOLE);
    let request = Request { out, layout, shard, before: before(args), locks: !bulk.no_lock };
    Ok(Some(BulkDestination::new(&request, &output::notes())?))
}

/// Returns the run that the command line describes.
pub(super) fn describe(
    args: &SampleArgs,
    families: &Families,
    place: &BulkDestination,
    (numbering, recipe, plan): (Numbering, &Recipe, &Plan),
) -> Result<Run, CliError> {
    let (model, subjects) = (&args.model, recipe.subjects());
    let fingerprint =
        gtr_backends::fingerprint_in(families, &model.model, &model.files(), model.text_encoder.as_deref())?;
    Ok(Run {
        plan_sha256: Checksum::of(plan.to_document().to_json().as_bytes()),
        model_sha256: Checksum::try_from(fingerprint)
            .map_err(|error| CliError::Failure(format!("invalid fingerprint of the model: {error}")))?,
        settings: recipe.settings(scale(args).unwrap_or(1)),
        layout: place.layout,
        numbering,
        subjects: subjects.clone(),
        metadata: place.metadata.clone(),
    })
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
    place: &BulkDestination,
    (run, recipe): (Run, Recipe),
    ar_steps: usize,
    mut sample: impl FnMut(&[u64], &mut Progress) -> Result<Vec<Picture>, SampleError<BackendError>>,
) -> Result<ExitStatus, CliError> {
    let started = std::time::Instant::now();
    if place.npz.is_some() {
        run.order_warning().into_iter().for_each(output::note);
    }
    let interrupt = signals::interrupt("run the same command with --resume to generate the missing images");
    let mut part = Part::open(place, before(args), run, (recipe, scale(args).unwrap_or(1)))?;
    let earlier = part.manifest().finished.len();
    let gaps = part.manifest().gaps();
    // An estimate: the last batch before finished images may be small.
    let missing: u64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
    let batches = missing.div_ceil(args.batch.into());
    let mut progress = Progress::new(batches.saturating_mul(ar_steps as u64), missing, &interrupt);
    let made = bulk::make(&mut part, args.batch as usize, &interrupt, |positions| {
        let pictures = interrupt.sampled(sample(positions, &mut progress))?;
        progress.done(pictures.len());
        Ok(pictures)
    });
    progress.finish();
    let (range, done) = (part.manifest().range(), part.manifest().finished.len());
    let all = range.end - range.start;
    match made {
        Err(gtr_run::Error::Interrupted(reason)) => {
            output::note(format_args!(
                "stopped after {done} of {}: run the same command with --resume to generate the others",
                count(all, "image")
            ));
            return Ok(reason.into());
        }
        made => made?,
    }
    if place.shard.of() == 1 {
        join(place, args.bulk.channels)?;
    }
    print_summary(args, place, (all, done - earlier, started.elapsed().as_secs_f64()))?;
    Ok(ExitStatus::Success)
}

/// Joins a part that is the whole run.
fn join(place: &BulkDestination, channels: Option<u8>) -> Result<(), CliError> {
    let folder = place.store.folder();
    let gathered = Gathered::read(&[folder.to_owned()])?;
    gathered.check()?;
    let Some(npz) = &place.npz else { return Ok(MergeOutput::new(folder, &gathered, None)?.write(&gathered)?) };
    MergeOutput::new(npz, &gathered, channels)?.write(&gathered)?;
    std::fs::remove_dir_all(folder)
        .map_err(|error| CliError::failure(format_args!("cannot remove {}", folder.display()), &error))
}

/// Prints the summary as text or JSON.
fn print_summary(
    args: &SampleArgs,
    place: &BulkDestination,
    (images, made, seconds): (u64, usize, f64),
) -> Result<(), CliError> {
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
