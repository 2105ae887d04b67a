//! `sample`: generates images.

mod batch;
mod begin;
mod many;
mod model;
mod preview;
mod progress;
mod variance;
mod watch;

use std::path::Path;
use std::time::Instant;

use gtr_backends::trace::{Provenance, Traced, Tracer};
use gtr_backends::{BackendError, Family, Picture};
use gtr_core::sampler::{Job, SampleError, Settings};
use gtr_core::{Guidance, MaskedGenerator, Plan, Role, Sampler, Seed};

use self::begin::Begin;
use self::model::Opened;
use self::variance::Variance;
use self::watch::Watch;
use crate::args::SampleArgs;
use crate::bulk;
use crate::bulk::prompts::{self, Prompt};
use crate::catalogue::CATALOGUE;
use crate::commands::{plan_file, warn_of_weak_guidance};
use crate::ending;
use crate::error::{CliError, ExitStatus, chain};
use crate::input::is_stream;
use crate::memory;
use crate::output::{self, Target};
use crate::series::{Numbering, Parameters, Place, Recipe, Series, Subjects};
use crate::signals::Stop;

/// Runs the command.
pub(super) fn run(args: &SampleArgs) -> Result<ExitStatus, CliError> {
    let started = Instant::now();
    if args.plan.is_some() {
        args.schedule.refuse("the plan of --plan")?;
    }
    output::apart(
        &[("--out", Some(&args.out)), ("--trace", args.trace.as_deref()), ("--animate", args.look.animate.as_deref())],
        &[
            ("--plan", args.plan.as_deref()),
            ("--schedule", args.schedule.schedule.as_deref()),
            ("--init", args.going_on.init.as_deref()),
            ("--mask", args.going_on.mask.as_deref()),
            ("--prompts", args.bulk.prompts.as_deref()),
            ("--weights", args.model.weights.as_deref()),
        ],
    )?;
    if args.look.preview && is_stream(&args.out) {
        return Err(CliError::usage("--preview and --out - both use standard output: write the image to a file"));
    }
    if let Some(trace) = &args.trace {
        ending::check("--trace", trace, "a trace", &["safetensors"])?;
        if ending::is_free(trace) {
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
    match gtr_backends::family(&args.model.model)? {
        Family::Mar => generate(args, model::open_mar(args)?, destination, started),
        Family::LightGen => generate(args, model::open_lightgen(args, texts)?, destination, started),
        _ => Err(CliError::usage(format_args!("`sample` does not support the model `{}`", args.model.model))),
    }
}

/// Returns the metadata of the prompts for the layout. Refuses prompts that do not fit the layout, before a model is loaded.
fn metadata(args: &SampleArgs, texts: &[String], listed: Option<Vec<Prompt>>) -> Result<Option<Vec<String>>, CliError> {
    let Some(layout) = args.bulk.layout else { return Ok(None) };
    let metadata = layout.metadata(listed.unwrap_or_default()).filter(|metadata| !metadata.is_empty());
    let subjects = match texts {
        [] => Subjects::Classes(Vec::new()),
        texts => Subjects::Prompts(texts.to_owned()),
    };
    match layout.problem(&subjects, metadata.as_deref(), Numbering::of(args, texts.len().max(1))?) {
        Some(problem) => Err(CliError::Usage(problem)),
        None => Ok(metadata),
    }
}

/// Destination of the images.
enum Destination {
    /// One image file, or a folder of image files.
    Series(Numbering, Place),
    /// Many images, in parts that can be resumed.
    Bulk(bulk::Place),
}

impl Destination {
    /// Checks, before a model is loaded, that the images can be written.
    fn new(args: &SampleArgs, texts: usize) -> Result<Self, CliError> {
        if let Some(place) = bulk::Place::new(args)? {
            refuse_with_many(args)?;
            return Ok(Self::Bulk(place));
        }
        let numbering = Numbering::of(args, args.class.as_ref().map_or(texts.max(1), |classes| classes.0.len()))?;
        Ok(Self::Series(numbering, Place::new(args, numbering)?))
    }
}

/// Result of a run.
struct Done {
    parameters: Parameters,
    plan: Plan,
    images: u64,
    /// Mean pixel variance between the reconstructions of an image, if there are several.
    variance: Option<f64>,
}

/// Generates all images and writes them.
fn generate<G>(
    args: &SampleArgs,
    opened: Opened<G>,
    destination: Destination,
    started: Instant,
) -> Result<ExitStatus, CliError>
where
    G: Traced<Image = Picture>,
    G::Prompt: Clone,
{
    let Opened { mut generator, prompts, subjects, weights, shape, .. } = opened;
    let begin = Begin::read(args, generator.grid(), shape)?;
    let plan = plan(args, &generator, begin.as_ref())?;
    let guidance = Guidance::new(
        args.cfg.or(opened.guidance).unwrap_or(1.0),
        args.cfg_schedule.map_or(opened.guidance_schedule, Into::into),
    );
    let guidance = guidance.map_err(|error| CliError::usage(format_args!("--cfg: {error}")))?;
    warn_of_weak_guidance(guidance.scale());
    let settings = Settings { seed: Seed(args.seed), guidance, temperature: args.temperature };
    let recipe = Recipe::new(args, subjects, &plan, &settings);
    let samplers = samplers(args, &plan)?;
    let (numbering, place) = match destination {
        Destination::Series(numbering, place) if numbering.subjects() == prompts.len() => (numbering, place),
        // Only the model knows which names with commas are a single class.
        Destination::Series(..) => {
            let numbering = Numbering::of(args, prompts.len())?;
            (numbering, Place::new(args, numbering)?)
        }
        Destination::Bulk(place) => {
            let (numbering, sampler) = (Numbering::of(args, prompts.len())?, Sampler::new(&plan, &CATALOGUE.registry)?);
            batch::check(args, &plan, shape, numbering)?;
            let run = many::describe(args, &place, (numbering, &recipe, &plan))?;
            let job = |position: &u64| job(&prompts, numbering, *position);
            return many::generate(args, &place, (run, recipe), plan.steps().len(), |positions, progress| {
                let jobs: Vec<_> = positions.iter().map(job).collect();
                Ok(sampler.run(&mut generator, &jobs, &settings, progress)?)
            });
        }
    };
    batch::check(args, &plan, shape, numbering)?;
    place.prepare(args, numbering, &recipe)?;
    let mut series = Series::new(args, numbering, place, recipe);
    let provenance = Provenance { model: args.model.model.clone(), weights, precision: args.model.dtype };
    let tracer = args.trace.as_deref().map(|path: &Path| Tracer::create(path, &plan, &settings, &provenance));
    let mut tracer = tracer.transpose()?;
    let (images, batch) = (numbering.images(), u64::from(args.batch));
    let stop = Stop::listen("images that are not written are lost");
    let mut watch = Watch::new(args, numbering, &plan, stop)?;
    let mut variance = Variance::default();
    let mut next = 0;
    while next < images {
        let end = images.min(next.saturating_add(batch));
        let jobs: Vec<_> = (next..end).map(|position| job(&prompts, numbering, position)).collect();
        tracing::info!(first_image = %jobs[0].image, images = jobs.len(), ar_steps = plan.steps().len(), "running");
        let mut variants = Vec::with_capacity(samplers.len());
        for (variant, sampler) in (0..).zip(&samplers) {
            let made = match (&mut tracer, &begin) {
                (Some(tracer), _) => tracer.run(sampler, &mut generator, &jobs, &mut watch),
                (None, Some(begin)) => {
                    let pictures = begin.pictures(jobs.len());
                    sampler.run_from(&mut generator, &jobs, &pictures, &settings, &mut watch)
                }
                (None, None) => sampler.run(&mut generator, &jobs, &settings, &mut watch),
            };
            let pictures = match made {
                Ok(pictures) => pictures,
                Err(error) => match (watch.failure(), CliError::from(error), stop.asked()) {
                    (Some(failure), ..) => return Err(failure),
                    (None, CliError::Stopped, Some(status)) => return Ok(stopped(status, &series, next, images)),
                    (None, error, _) => return Err(error),
                },
            };
            watch.done(pictures.len())?;
            for (position, picture) in (next..end).zip(&pictures) {
                series.add((position, variant), picture)?;
            }
            variants.push(pictures);
        }
        for image in 0..jobs.len() {
            variance.add(&variants.iter().map(|pictures| &pictures[image]).collect::<Vec<_>>());
        }
        next = end;
        if let Some(status) = stop.asked().filter(|_| next < images) {
            return Ok(stopped(status, &series, next, images));
        }
    }
    watch.finish()?;
    let parameters = series.finish()?;
    tracer.map(Tracer::finish).transpose()?;
    let variance = args.going_on.reseed_reconstruction.map(|_| variance.mean());
    let done = Done { parameters, plan, images, variance };
    output::summary(&done.tell(args, started.elapsed().as_secs_f64()), &args.out)?;
    Ok(ExitStatus::Success)
}

/// Prints how many images a stopped run has written.
fn stopped(status: ExitStatus, series: &Series, made: u64, images: u64) -> ExitStatus {
    let made = if series.is_in_folder() { made } else { 0 };
    output::note(format_args!("stopped: {made} of {} written", crate::table::count(images, "image")));
    status
}

/// Returns the job of the sampler for a position of the run.
fn job<P: Clone>(prompts: &[P], numbering: Numbering, position: u64) -> Job<P> {
    Job { prompt: prompts[numbering.subject(position)].clone(), image: numbering.number(position) }
}

/// Returns an error if a flag for a few images is used with many images.
fn refuse_with_many(args: &SampleArgs) -> Result<(), CliError> {
    let flags = [
        ("--init", args.going_on.init.is_some()),
        ("--reseed-reconstruction", args.going_on.reseed_reconstruction.is_some()),
        ("--animate", args.look.animate.is_some()),
        ("--preview", args.look.preview),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::usage(format_args!(
            "{flag} is not available for many images: use --out FILE.png, without --classes, --shard and --resume"
        ))),
        None => Ok(()),
    }
}

/// Returns one sampler per reconstruction. The first one uses the seed of the run.
fn samplers<'p>(args: &SampleArgs, plan: &'p Plan) -> Result<Vec<Sampler<'p>>, CliError> {
    let Some(count) = args.going_on.reseed_reconstruction else {
        return Ok(vec![Sampler::new(plan, &CATALOGUE.registry)?]);
    };
    if plan.stages().iter().all(|stage| stage.role() == Role::Generation) {
        return Err(CliError::usage(
            "--reseed-reconstruction: the plan has no reconstruction stage: use --order bisection or block with at least 2 stages",
        ));
    }
    let seed = |variant: u32| Seed(args.seed.wrapping_add(variant.into()));
    (0..count).map(|variant| Ok(Sampler::new(plan, &CATALOGUE.registry)?.reseeded(seed(variant)))).collect()
}

/// Returns the plan. A plan without a timestep limit gets that of the model.
fn plan<G: MaskedGenerator>(args: &SampleArgs, generator: &G, begin: Option<&Begin>) -> Result<Plan, CliError> {
    let plan = plan_for(args, generator, begin)?;
    begin::check(&plan, begin, args)?;
    Ok(plan)
}

fn plan_for<G: MaskedGenerator>(args: &SampleArgs, generator: &G, begin: Option<&Begin>) -> Result<Plan, CliError> {
    let (grid, limit) = (generator.grid(), generator.timestep_limit());
    let Some(path) = &args.plan else {
        let mut chosen = args.schedule.choose()?;
        chosen.schedule.set_default_timestep_limit(limit)?;
        return Ok(chosen.plan_rest(&begin::known_tokens(begin, grid))?.plan);
    };
    plan_file::read(path, &args.model.model, grid, limit)
}

impl Done {
    /// Formats the summary as text or JSON.
    fn tell(&self, args: &SampleArgs, seconds: f64) -> String {
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
        let plural = if images == 1 { "" } else { "s" };
        let random =
            args.model.random_weights.map_or_else(String::new, |seed| format!(", random weights (seed {seed})"));
        let count = args.going_on.reseed_reconstruction.unwrap_or_default();
        let apart = self.variance.map_or_else(String::new, |variance| {
            format!(", mean pixel variance {variance:.5} over {count} reconstructions")
        });
        format!(
            "{}: {images} image{plural}, {}, {}, {seconds:.2} s{}{random}{apart}\n",
            args.out.display(),
            crate::table::count(ar_steps, "AR step"),
            crate::table::count(network_evaluations, "network evaluation"),
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

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::UnknownModel { .. }
            | BackendError::NotHere { .. }
            | BackendError::Class { .. }
            | BackendError::ClassName { .. } => Self::Usage(chain(&error)),
            _ => Self::Failure(chain(&error)),
        }
    }
}

impl From<SampleError<BackendError>> for CliError {
    fn from(error: SampleError<BackendError>) -> Self {
        match error {
            SampleError::Plan(error) => error.into(),
            SampleError::Model(error) => error.into(),
            SampleError::Setting(error) => Self::Usage(error.to_string()),
            SampleError::Stopped { .. } => Self::Stopped,
            error => Self::Failure(chain(&error)),
        }
    }
}
