//! `sample`: generates images.

mod batch;
mod init_image;
mod many_images;
mod model;
mod observers;
mod preview;
mod progress;
mod variance;

use std::path::Path;
use std::time::Instant;

use gtr_backends::trace::{Provenance, Tracer};
use gtr_backends::{AnyModel, Precision, device_kind};
use gtr_core::sampler::{Job, JobOf, Settings};
use gtr_core::{Guidance, ImageIndex, MaskedGenerator, Plan, Role, Sampler, Seed, count};
use gtr_run::bulk::prompts::{self, Prompt};
use gtr_run::bulk::{self, FolderLayout};
use gtr_run::series::{Inpainting, Numbering, Parameters, Recipe, Series, SeriesDestination, Subjects};

use self::init_image::InitImage;
use self::model::Opened;
use self::observers::Observers;
use self::variance::Variance;
use crate::args::SampleArgs;
use crate::catalogue::Catalogue;
use crate::commands::{plan_file, warn_of_weak_guidance};
use crate::error::{CliError, ExitStatus};
use crate::extension;
use crate::input::is_stream;
use crate::memory;
use crate::output::{self, Target};
use crate::signals;

/// Runs the command.
pub(super) fn run(args: &SampleArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let started = Instant::now();
    if args.plan.is_some() {
        args.schedule.refuse("the plan of --plan")?;
    }
    output::refuse_same_file(
        &[
            ("--out", Some(&args.out)),
            ("--trace", args.trace.as_deref()),
            ("--animate", args.preview.animate.as_deref()),
        ],
        &[
            ("--plan", args.plan.as_deref()),
            ("--schedule", args.schedule.schedule.as_deref()),
            ("--init", args.inpaint.init.as_deref()),
            ("--mask", args.inpaint.mask.as_deref()),
            ("--prompts", args.bulk.prompts.as_deref()),
            ("--weights", args.model.weights.as_deref()),
        ],
    )?;
    if args.preview.preview && is_stream(&args.out) {
        return Err(CliError::usage("--preview and --out - both use standard output: write the image to a file"));
    }
    if let Some(trace) = &args.trace {
        extension::check("--trace", trace, "a trace", &["safetensors"])?;
        if extension::is_free(trace) {
            let shown = trace.display();
            return Err(CliError::usage(format_args!("--trace {shown}: expected a file, found a pipe or a device")));
        }
        Target::new(trace)?;
    }
    let listed = args.bulk.prompts.as_deref().map(prompts::read).transpose()?;
    let texts: Vec<String> = match &listed {
        Some(prompts) => prompts.iter().map(|prompt| prompt.text.clone()).collect(),
        None => args.prompt.clone(),
    };
    let metadata = metadata(args, &texts, listed)?;
    let mut destination = Destination::new(args, texts.len())?;
    if let Destination::Bulk(place) = &mut destination {
        if place.finished {
            let out = args.out.display();
            output::note(format_args!("{out} is complete: --overwrite generates it again"));
            output::print(&format!("{out}: already complete, 0 generated now\n"))?;
            return Ok(ExitStatus::Success);
        }
        place.metadata = metadata;
    }
    let families = &catalogue.families;
    let opened = match families.spec(&args.model.model)?.arch.text {
        None => model::open_classes(args, families)?,
        Some(_) => model::open_texts(args, families, texts)?,
    };
    generate(args, catalogue, opened, destination, started)
}

/// Returns the metadata of the prompts for the layout. Refuses prompts that do not fit the layout, before a model is loaded.
fn metadata(args: &SampleArgs, texts: &[String], listed: Option<Vec<Prompt>>) -> Result<Option<Vec<String>>, CliError> {
    let Some(layout) = args.bulk.layout.map(FolderLayout::from) else { return Ok(None) };
    let metadata = layout.metadata(listed.unwrap_or_default()).filter(|metadata| !metadata.is_empty());
    let subjects = match texts {
        [] => Subjects::Classes(Vec::new()),
        texts => Subjects::Prompts(texts.to_owned()),
    };
    match layout.problem(&subjects, metadata.as_deref(), numbering(args, texts.len().max(1))?) {
        Some(problem) => Err(CliError::Usage(problem)),
        None => Ok(metadata),
    }
}

/// Destination of the images.
enum Destination {
    /// One image file, or a folder of image files.
    Series(Numbering, SeriesDestination),
    /// Many images, in parts that can be resumed.
    Bulk(bulk::BulkDestination),
}

impl Destination {
    /// Checks, before a model is loaded, that the images can be written.
    fn new(args: &SampleArgs, texts: usize) -> Result<Self, CliError> {
        if let Some(place) = many_images::place(args)? {
            refuse_with_many(args)?;
            return Ok(Self::Bulk(place));
        }
        let numbering = numbering(args, args.class.as_ref().map_or(texts.max(1), |classes| classes.0.len()))?;
        Ok(Self::Series(numbering, place(args, numbering)?))
    }
}

/// Returns the numbering of the requested images, for a number of classes or prompts.
fn numbering(args: &SampleArgs, subjects: usize) -> Result<Numbering, CliError> {
    let (count, first) = (args.count.into(), ImageIndex(args.first_image));
    Ok(Numbering::new(subjects, count, first, args.bulk.classes.is_some())?)
}

/// Returns the requested image file or folder. Checks that it can be written.
fn place(args: &SampleArgs, numbering: Numbering) -> Result<SeriesDestination, CliError> {
    output::refuse_terminal(Some(&args.out), "a PNG image")?;
    Ok(SeriesDestination::new(&args.out, numbering, args.inpaint.reconstructions())?)
}

/// Returns the scale factor of --scale, if given.
fn scale(args: &SampleArgs) -> Option<usize> {
    args.scale.map(|scale| scale as usize)
}

/// Returns the settings that the files of the run record.
fn recipe(args: &SampleArgs, subjects: Subjects, plan: &Plan, settings: &Settings) -> Result<Recipe, CliError> {
    let text = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let (model, inpaint) = (&args.model, &args.inpaint);
    let parameters = Parameters {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.model.clone(),
        weights: text(&model.weights),
        random_weights: model.random_weights,
        vae: text(&model.vae),
        text_encoder: text(&model.text_encoder),
        dtype: Some(model.dtype).filter(|dtype| *dtype != Precision::default()).map(|dtype| dtype.name().to_owned()),
        device: model.recorded_device()?,
        size: args.size,
        subjects,
        count: args.count,
        first_image: args.first_image,
        seed: settings.seed.0,
        cfg: settings.guidance.scale(),
        cfg_schedule: settings.guidance.schedule(),
        temperature: settings.temperature,
        scale: None,
        inpainting: Inpainting {
            init: text(&inpaint.init),
            mask: text(&inpaint.mask),
            dilate: inpaint.dilate,
            reseed_reconstruction: inpaint.reseed_reconstruction,
        },
    };
    Ok(Recipe::new(parameters, plan))
}

/// Result of a run, for the summary.
struct Done {
    parameters: Parameters,
    plan: Plan,
    images: u64,
    /// Mean pixel variance between the reconstructions of an image, if there are several.
    variance: Option<f64>,
}

/// Generates all images and writes them.
fn generate(
    args: &SampleArgs,
    catalogue: &Catalogue,
    opened: Opened,
    destination: Destination,
    started: Instant,
) -> Result<ExitStatus, CliError> {
    let Opened { mut generator, prompts, subjects, weights, shape, .. } = opened;
    let begin = InitImage::read(args, generator.grid(), shape)?;
    let plan = plan(args, catalogue, &generator, begin.as_ref())?;
    let guidance = Guidance::new(
        args.cfg.or(opened.guidance).unwrap_or(1.0),
        args.cfg_schedule.map_or(opened.guidance_schedule, Into::into),
    );
    let guidance = guidance.map_err(|error| CliError::usage(format_args!("--cfg: {error}")))?;
    warn_of_weak_guidance(guidance.scale());
    let settings = Settings { seed: Seed(args.seed), guidance, temperature: args.temperature };
    let recipe = recipe(args, subjects, &plan, &settings)?;
    let sampler = Sampler::new(&plan, &catalogue.registry)?;
    let seeds = reconstruction_seeds(args, &plan)?;
    let (numbering, place) = match destination {
        Destination::Series(numbering, place) if numbering.subjects() == prompts.len() => (numbering, place),
        // Only the model knows which names with commas are a single class.
        Destination::Series(..) => {
            let numbering = numbering(args, prompts.len())?;
            (numbering, self::place(args, numbering)?)
        }
        Destination::Bulk(place) => {
            let numbering = numbering(args, prompts.len())?;
            batch::check(args, &plan, shape, numbering)?;
            let run = many_images::describe(args, &catalogue.families, &place, (numbering, &recipe, &plan))?;
            let job = |position: &u64| job::<AnyModel>(&prompts, numbering, *position);
            return many_images::generate(args, &place, (run, recipe), plan.steps().len(), |positions, progress| {
                let jobs: Vec<_> = positions.iter().map(job).collect();
                sampler.batch(&jobs, &settings).observe(progress).run(&mut generator)
            });
        }
    };
    batch::check(args, &plan, shape, numbering)?;
    if let SeriesDestination::Folder(folder) = &place {
        bulk::clear(folder, args.bulk.overwrite, &output::notes())?;
    }
    place.prepare(numbering, &recipe, scale(args).unwrap_or(1), args.bulk.overwrite)?;
    let mut series = Series::new(numbering, place, recipe, scale(args));
    let provenance = Provenance {
        model: args.model.model.clone(),
        weights,
        precision: args.model.dtype,
        device: device_kind(args.model.compute()?.device()),
    };
    let tracer = args.trace.as_deref().map(|path: &Path| Tracer::create(path, &plan, &settings, &provenance));
    let mut tracer = tracer.transpose()?;
    let (images, batch) = (numbering.images(), u64::from(args.batch));
    let interrupt = signals::interrupt("images that are not written are lost");
    let mut watch = Observers::new(args, numbering, &plan, &interrupt)?;
    let mut variance = Variance::default();
    let mut next = 0;
    while next < images {
        let end = images.min(next.saturating_add(batch));
        let jobs: Vec<_> = (next..end)
            .map(|position| Job {
                init: begin.as_ref().map(InitImage::picture),
                ..job::<AnyModel>(&prompts, numbering, position)
            })
            .collect();
        tracing::info!(first_image = %jobs[0].image, images = jobs.len(), ar_steps = plan.steps().len(), "running");
        let mut variants = Vec::with_capacity(seeds.len());
        for (variant, &seed) in (0..).zip(&seeds) {
            let made = if let Some(tracer) = &mut tracer {
                tracer.run(&sampler, &mut generator, &jobs, &mut watch)
            } else {
                let batch = sampler.batch(&jobs, &settings).reconstruction_seed(seed);
                batch.observe(&mut watch).run(&mut generator)
            };
            let pictures = match interrupt.sampled(made) {
                Ok(pictures) => pictures,
                Err(gtr_run::Error::Interrupted(reason)) => {
                    return Ok(stopped(reason.into(), &series, next, images));
                }
                Err(error) => return Err(error.into()),
            };
            watch.done(pictures.len());
            for (position, picture) in (next..end).zip(&pictures) {
                series.add((position, variant), picture)?;
            }
            variants.push(pictures);
        }
        for image in 0..jobs.len() {
            variance.add(&variants.iter().map(|pictures| &pictures[image]).collect::<Vec<_>>());
        }
        next = end;
        if let Some(reason) = interrupt.requested().filter(|_| next < images) {
            return Ok(stopped(reason.into(), &series, next, images));
        }
    }
    watch.finish()?;
    let parameters = series.finish()?;
    tracer.map(Tracer::finish).transpose()?;
    let variance = args.inpaint.reseed_reconstruction.map(|_| variance.mean());
    let done = Done { parameters, plan, images, variance };
    output::summary(&done.describe(args, started.elapsed().as_secs_f64()), &args.out)?;
    Ok(ExitStatus::Success)
}

/// Prints how many images a stopped run has written.
fn stopped(status: ExitStatus, series: &Series, made: u64, images: u64) -> ExitStatus {
    let made = if series.is_in_folder() { made } else { 0 };
    output::note(format_args!("stopped: {made} of {} written", count(images, "image")));
    status
}

/// Returns the job of the sampler for a position of the run.
fn job<G: MaskedGenerator>(prompts: &[G::Prompt], numbering: Numbering, position: u64) -> JobOf<G> {
    Job::new(prompts[numbering.subject(position)].clone(), numbering.number(position))
}

/// Returns an error if a flag for a few images is used with many images.
fn refuse_with_many(args: &SampleArgs) -> Result<(), CliError> {
    let flags = [
        ("--init", args.inpaint.init.is_some()),
        ("--reseed-reconstruction", args.inpaint.reseed_reconstruction.is_some()),
        ("--animate", args.preview.animate.is_some()),
        ("--preview", args.preview.preview),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::usage(format_args!(
            "{flag} is not available for many images: use --out FILE.png, without --classes, --shard and --resume"
        ))),
        None => Ok(()),
    }
}

/// Returns the seed of each reconstruction. The first one is the seed of the run.
fn reconstruction_seeds(args: &SampleArgs, plan: &Plan) -> Result<Vec<Seed>, CliError> {
    let Some(count) = args.inpaint.reseed_reconstruction else { return Ok(vec![Seed(args.seed)]) };
    if plan.stages().iter().all(|stage| stage.role() == Role::Generation) {
        return Err(CliError::usage(
            "--reseed-reconstruction: the plan has no reconstruction stage: use --order bisection or block with at least 2 stages",
        ));
    }
    Ok((0..count).map(|variant| Seed(args.seed.wrapping_add(variant.into()))).collect())
}

/// Returns the plan. A plan without a timestep limit gets that of the model.
fn plan<G: MaskedGenerator>(
    args: &SampleArgs,
    catalogue: &Catalogue,
    generator: &G,
    begin: Option<&InitImage>,
) -> Result<Plan, CliError> {
    let plan = plan_for(args, catalogue, generator, begin)?;
    init_image::check(&plan, begin, args)?;
    Ok(plan)
}

fn plan_for<G: MaskedGenerator>(
    args: &SampleArgs,
    catalogue: &Catalogue,
    generator: &G,
    begin: Option<&InitImage>,
) -> Result<Plan, CliError> {
    let (grid, limit) = (generator.grid(), generator.head_kind().timesteps());
    let Some(path) = &args.plan else {
        let mut chosen = args.schedule.choose(catalogue)?;
        chosen.schedule.set_default_timestep_limit(limit)?;
        return Ok(chosen.plan_rest(&init_image::known_tokens(begin, grid), &catalogue.registry)?.plan);
    };
    plan_file::read(path, (&args.model.model, grid, limit), &catalogue.registry)
}

impl Done {
    /// Formats the summary as text or JSON.
    fn describe(&self, args: &SampleArgs, seconds: f64) -> String {
        let numbers = self.plan.summary();
        let (ar_steps, network_evaluations) = (numbers.ar_steps, numbers.network_evaluations());
        let (images, peak) = (self.images, memory::peak());
        if args.wants_json() {
            let summary = serde_json::json!({
                "out": args.out.to_string_lossy(),
                "images": images,
                "ar_steps": ar_steps,
                "head_evaluations": numbers.head_evaluations,
                "network_evaluations": network_evaluations,
                "seconds": seconds,
                "peak_memory_bytes": peak,
                "pixel_variance": self.variance,
                "parameters": self.parameters,
            });
            return format!("{summary}\n");
        }
        let random =
            args.model.random_weights.map_or_else(String::new, |seed| format!(", random weights (seed {seed})"));
        let reconstructions = args.inpaint.reseed_reconstruction.unwrap_or_default();
        let variance = self.variance.map_or_else(String::new, |variance| {
            format!(", mean pixel variance {variance:.5} over {}", count(reconstructions, "reconstruction"))
        });
        format!(
            "{}: {}, {}, {}, {seconds:.2} s{}{random}{variance}\n",
            args.out.display(),
            count(images, "image"),
            count(ar_steps, "AR step"),
            count(network_evaluations, "network evaluation"),
            peak.map_or_else(String::new, |bytes| format!(", peak memory {}", size(bytes))),
        )
    }
}

/// Formats a number of bytes.
#[expect(clippy::cast_precision_loss, reason = "rounded anyway")]
fn size(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 1000.0 { format!("{megabytes:.0} MB") } else { format!("{:.2} GB", megabytes / 1000.0) }
}
