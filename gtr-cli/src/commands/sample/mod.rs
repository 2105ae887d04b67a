//! `sample`: generates images.

mod batch;
mod begin;
mod many;
mod model;
mod preview;
mod progress;
mod variance;
mod watch;

use std::fmt::{Debug, Display};
use std::path::Path;
use std::time::Instant;

use gtr_backends::trace::{Provenance, Tracer};
use gtr_backends::{BackendError, Families};
use gtr_core::sampler::{Job, JobOf, SampleError, Settings};
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

/// Carries out the command.
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
        return Err(CliError::usage(
            "--preview draws on standard output, where --out - writes the picture: name a file",
        ));
    }
    if let Some(trace) = &args.trace {
        ending::check("--trace", trace, "a trace", &["safetensors"])?;
        if ending::is_free(trace) {
            let shown = trace.display();
            return Err(CliError::usage(format_args!(
                "--trace {shown}: a trace is written to a file, not to a pipe or a device"
            )));
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
            output::note(format_args!("{out} is there, and finished: --overwrite makes it again"));
            output::print(&format!("{out}: finished before, 0 made now\n"))?;
            return Ok(ExitStatus::Success);
        }
        place.metadata = metadata;
    }
    let families = Families::builtin();
    let opened = match families.spec(&args.model.model)?.arch.text {
        None => model::open_classes(args, &families)?,
        Some(_) => model::open_texts(args, &families, texts)?,
    };
    generate(args, opened, destination, started)
}

/// What a run remembers of its prompts for the layout. Refuses prompts that do not fit it, before a model is loaded.
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

/// Where the images go.
enum Destination {
    /// To a picture, or to a folder of pictures.
    Series(Numbering, Place),
    /// To where many images gather.
    Bulk(bulk::Place),
}

impl Destination {
    /// Finds out whether the images can be written, before a model is loaded.
    fn new(args: &SampleArgs, texts: usize) -> Result<Self, CliError> {
        if let Some(place) = bulk::Place::new(args)? {
            refuse_with_many(args)?;
            return Ok(Self::Bulk(place));
        }
        let numbering = Numbering::of(args, args.class.as_ref().map_or(texts.max(1), |classes| classes.0.len()))?;
        Ok(Self::Series(numbering, Place::new(args, numbering)?))
    }
}

/// What a run has done.
struct Done {
    parameters: Parameters,
    plan: Plan,
    images: u64,
    /// How far the reconstructions of an image lie apart, where there are several.
    variance: Option<f64>,
}

/// Makes all images and writes them.
fn generate(
    args: &SampleArgs,
    opened: Opened,
    destination: Destination,
    started: Instant,
) -> Result<ExitStatus, CliError> {
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
    let sampler = Sampler::new(&plan, &CATALOGUE.registry)?;
    let seeds = reconstruction_seeds(args, &plan)?;
    let (numbering, place) = match destination {
        Destination::Series(numbering, place) if numbering.subjects() == prompts.len() => (numbering, place),
        // Only the model knows which names with commas are one class.
        Destination::Series(..) => {
            let numbering = Numbering::of(args, prompts.len())?;
            (numbering, Place::new(args, numbering)?)
        }
        Destination::Bulk(place) => {
            let numbering = Numbering::of(args, prompts.len())?;
            batch::check(args, &plan, shape, numbering)?;
            let run = many::describe(args, &place, (numbering, &recipe, &plan))?;
            let job = |position: &u64| job::<G>(&prompts, numbering, *position);
            return many::generate(args, &place, (run, recipe), plan.steps().len(), |positions, progress| {
                let jobs: Vec<_> = positions.iter().map(job).collect();
                Ok(sampler.batch(&jobs, &settings).observe(progress).run(&mut generator)?)
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
    let stop = Stop::listen("what was not written is lost");
    let mut watch = Watch::new(args, numbering, &plan, stop)?;
    let mut variance = Variance::default();
    let mut next = 0;
    while next < images {
        let end = images.min(next.saturating_add(batch));
        let jobs: Vec<_> = (next..end)
            .map(|position| Job { init: begin.as_ref().map(Begin::picture), ..job::<G>(&prompts, numbering, position) })
            .collect();
        tracing::info!(first_image = %jobs[0].image, images = jobs.len(), ar_steps = plan.steps().len(), "running");
        let mut variants = Vec::with_capacity(seeds.len());
        for (variant, &seed) in (0..).zip(&seeds) {
            let made = match &mut tracer {
                Some(tracer) => tracer.run(&sampler, &mut generator, &jobs, &mut watch),
                None => {
                    let batch = sampler.batch(&jobs, &settings).reconstruction_seed(seed);
                    batch.observe(&mut watch).run(&mut generator)
                }
            };
            let pictures = match made {
                Ok(pictures) => pictures,
                Err(error) => match (CliError::from(error), stop.asked()) {
                    (CliError::Stopped, Some(status)) => return Ok(stopped(status, &series, next, images)),
                    (error, _) => return Err(error),
                },
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

/// Says what is left of a run that was stopped.
fn stopped(status: ExitStatus, series: &Series, made: u64, images: u64) -> ExitStatus {
    let made = if series.is_in_folder() { made } else { 0 };
    output::note(format_args!("stopped: {made} of {} are written", crate::table::count(images, "image")));
    status
}

/// What the sampler is asked for at a position of a run.
fn job<G: MaskedGenerator>(prompts: &[G::Prompt], numbering: Numbering, position: u64) -> JobOf<G> {
    Job::new(prompts[numbering.subject(position)].clone(), numbering.number(position))
}

/// Refuses what is for a few images where many gather.
fn refuse_with_many(args: &SampleArgs) -> Result<(), CliError> {
    let flags = [
        ("--init", args.going_on.init.is_some()),
        ("--reseed-reconstruction", args.going_on.reseed_reconstruction.is_some()),
        ("--animate", args.look.animate.is_some()),
        ("--preview", args.look.preview),
    ];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::usage(format_args!(
            "{flag} is for a few images: name a picture as --out, without --classes, --shard and --resume"
        ))),
        None => Ok(()),
    }
}

/// The seed of each time that the reconstruction is made: the first is that of the run.
fn reconstruction_seeds(args: &SampleArgs, plan: &Plan) -> Result<Vec<Seed>, CliError> {
    let Some(count) = args.going_on.reseed_reconstruction else { return Ok(vec![Seed(args.seed)]) };
    if plan.stages().iter().all(|stage| stage.role() == Role::Generation) {
        return Err(CliError::usage(
            "--reseed-reconstruction: the plan has no reconstruction: choose --order bisection or block, of 2 stages or more",
        ));
    }
    Ok((0..count).map(|variant| Seed(args.seed.wrapping_add(variant.into()))).collect())
}

/// The plan that was asked for, with the timesteps that the model is good for.
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
    /// The summary, in words or as JSON.
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

/// A number of bytes, in words.
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

impl<O: Into<Self> + Debug + Display> From<SampleError<BackendError, O>> for CliError {
    fn from(error: SampleError<BackendError, O>) -> Self {
        match error {
            SampleError::Plan(error) => error.into(),
            SampleError::Model(error) => error.into(),
            SampleError::Setting(error) => Self::Usage(error.to_string()),
            SampleError::Stopped { .. } => Self::Stopped,
            SampleError::Observer(error) => error.into(),
            error => Self::Failure(chain(&error)),
        }
    }
}
