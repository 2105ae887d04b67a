//! `sample`: generates images.

mod many;
mod model;
mod progress;

use std::path::Path;
use std::time::Instant;

use gtr_backends::trace::{Provenance, Traced, Tracer};
use gtr_backends::{BackendError, Family, Picture};
use gtr_core::sampler::{Job, SampleError, Settings};
use gtr_core::{Guidance, MaskedGenerator, Plan, Sampler, Seed};

use self::model::Opened;
use self::progress::Progress;
use crate::args::SampleArgs;
use crate::bulk::{self, prompts};
use crate::catalogue::CATALOGUE;
use crate::commands::verify;
use crate::error::{CliError, ExitStatus, chain};
use crate::memory;
use crate::output;
use crate::series::{Numbering, Parameters, Place, Recipe, Series};

/// Carries out the command.
pub(super) fn run(args: &SampleArgs) -> Result<ExitStatus, CliError> {
    let started = Instant::now();
    if args.plan.is_some() {
        args.schedule.refuse("the plan of --plan")?;
    }
    let texts = match &args.bulk.prompts {
        Some(path) => prompts::read(path)?.into_iter().map(|prompt| prompt.text).collect(),
        None => args.prompt.clone(),
    };
    let destination = Destination::new(args, texts.len())?;
    match gtr_backends::family(&args.model.model)? {
        Family::Mar => generate(args, model::open_mar(args)?, destination, started),
        Family::LightGen => generate(args, model::open_lightgen(args, texts)?, destination, started),
        _ => Err(CliError::usage(format_args!("`{}` is of a family without a command", args.model.model))),
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
}

/// Makes all images and writes them.
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
    let Opened { mut generator, prompts, subjects, weights, .. } = opened;
    let plan = plan(args, &generator)?;
    let guidance = Guidance::new(
        args.cfg.or(opened.guidance).unwrap_or(1.0),
        args.cfg_schedule.map_or(opened.guidance_schedule, Into::into),
    );
    let guidance = guidance.map_err(|error| CliError::usage(format_args!("--cfg: {error}")))?;
    let settings = Settings { seed: Seed(args.seed), guidance, temperature: args.temperature };
    let recipe = Recipe::new(args, subjects, &plan, &settings);
    let sampler = Sampler::new(&plan, &CATALOGUE.registry)?;
    let (numbering, place) = match destination {
        Destination::Series(numbering, place) => (numbering, place),
        Destination::Bulk(place) => {
            let numbering = Numbering::of(args, prompts.len())?;
            let run = many::describe(args, &place, (numbering, &recipe, &plan))?;
            let job = |position: &u64| job(&prompts, numbering, *position);
            return many::generate(args, &place, (run, recipe), plan.steps().len(), |positions, progress| {
                let jobs: Vec<_> = positions.iter().map(job).collect();
                Ok(sampler.run(&mut generator, &jobs, &settings, progress)?)
            });
        }
    };
    let mut series = Series::new(args, numbering, place, recipe);
    let provenance = Provenance { model: args.model.model.clone(), weights, precision: args.model.dtype };
    let tracer = args.trace.as_deref().map(|path: &Path| Tracer::create(path, &plan, &settings, &provenance));
    let mut tracer = tracer.transpose()?;
    let (images, batch) = (numbering.images(), u64::from(args.batch));
    let batches = images.div_ceil(batch);
    let mut progress = Progress::new(batches.saturating_mul(plan.steps().len() as u64));
    let mut next = 0;
    while next < images {
        let end = images.min(next.saturating_add(batch));
        let jobs: Vec<_> = (next..end).map(|position| job(&prompts, numbering, position)).collect();
        tracing::info!(first_image = %jobs[0].image, images = jobs.len(), ar_steps = plan.steps().len(), "running");
        let pictures = match &mut tracer {
            Some(tracer) => tracer.run(&sampler, &mut generator, &jobs, &mut progress)?,
            None => sampler.run(&mut generator, &jobs, &settings, &mut progress)?,
        };
        for (position, picture) in (next..end).zip(&pictures) {
            series.add(position, picture)?;
        }
        next = end;
    }
    progress.finish();
    let parameters = series.finish()?;
    tracer.map(Tracer::finish).transpose()?;
    let done = Done { parameters, plan, images };
    output::print(&done.tell(args, started.elapsed().as_secs_f64()))?;
    Ok(ExitStatus::Success)
}

/// What the sampler is asked for at a position of a run.
fn job<P: Clone>(prompts: &[P], numbering: Numbering, position: u64) -> Job<P> {
    Job { prompt: prompts[numbering.subject(position)].clone(), image: numbering.number(position) }
}

/// The plan that was asked for, with the timesteps that the model is good for.
fn plan<G: MaskedGenerator>(args: &SampleArgs, generator: &G) -> Result<Plan, CliError> {
    let (grid, limit) = (generator.grid(), generator.timestep_limit());
    let Some(path) = &args.plan else {
        let mut chosen = args.schedule.choose()?;
        chosen.schedule.set_default_timestep_limit(limit)?;
        return Ok(chosen.plan(grid)?.plan);
    };
    let name = path.display();
    let read = verify::read(path).map_err(|error| CliError::failure(format_args!("cannot read {name}"), &error))?;
    let mut document = read.map_err(|violation| CliError::Failure(format!("{name}: not a sound plan: {violation}")))?;
    // A limit that is none is a broken rule, which the check tells.
    let _ = document.schedule.set_default_timestep_limit(limit);
    let plan = Plan::from_document(&document, &CATALOGUE.registry).map_err(|error| CliError::failure(&name, &error))?;
    if plan.grid() != grid {
        return Err(CliError::Failure(format!(
            "{name} is a plan for a grid of {}, the model `{}` has one of {grid}: plan with --grid {grid}",
            plan.grid(),
            args.model.model
        )));
    }
    tracing::info!(file = %name, ar_steps = plan.steps().len(), "read a plan");
    Ok(plan)
}

impl Done {
    /// The summary, in words or as JSON.
    fn tell(&self, args: &SampleArgs, seconds: f64) -> String {
        let numbers = self.plan.summary();
        let (ar_steps, network_evaluations) = (numbers.ar_steps, numbers.network_evaluations());
        let (images, peak) = (self.images, memory::peak());
        if args.json {
            let summary = serde_json::json!({
                "out": args.out.to_string_lossy(),
                "images": images,
                "ar_steps": ar_steps,
                "head_evaluations": numbers.head_evaluations,
                "network_evaluations": network_evaluations,
                "seconds": seconds,
                "peak_memory_bytes": peak,
                "parameters": self.parameters,
            });
            return format!("{summary}\n");
        }
        let plural = if images == 1 { "" } else { "s" };
        let random =
            args.model.random_weights.map_or_else(String::new, |seed| format!(", random weights (seed {seed})"));
        format!(
            "{}: {images} image{plural}, {}, {}, {seconds:.2} s{}{random}\n",
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
            BackendError::UnknownModel { .. } | BackendError::Class { .. } | BackendError::ClassName { .. } => {
                Self::Usage(chain(&error))
            }
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
            error => Self::Failure(chain(&error)),
        }
    }
}
