//! `sample`: generates images.

use std::time::Instant;

use gtr_backends::mar::MarGenerator;
use gtr_backends::{BackendError, Device};
use gtr_core::sampler::{Flow, Job, Observer, SampleError, Settings, StepEvent};
use gtr_core::{Guidance, MaskedGenerator, Plan, Sampler, Seed};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::SampleArgs;
use crate::catalogue::CATALOGUE;
use crate::commands::verify;
use crate::error::{CliError, ExitStatus, chain};
use crate::output;
use crate::series::{Numbering, Parameters, Place, Recipe, Series};

/// Carries out the command.
pub(super) fn run(args: &SampleArgs) -> Result<ExitStatus, CliError> {
    let started = Instant::now();
    if args.plan.is_some() {
        args.schedule.refuse("the plan of --plan")?;
    }
    let numbering = Numbering::new(args)?;
    let place = Place::new(args, numbering)?;
    let mut generator = gtr_backends::open(&args.model, args.weights.as_deref(), &Device::Cpu)?;
    tracing::info!(model = args.model, grid = %generator.grid(), weights = %generator.section(), "loaded");
    let classes = args.class.0.iter().map(|&class| generator.class(class)).collect::<Result<Vec<_>, _>>()?;
    let plan = plan(args, &generator)?;
    let settings = settings(args, &generator)?;
    let mut series = Series::new(args, numbering, place, Recipe::new(args, &plan, &settings));
    let sampler = Sampler::new(&plan, &CATALOGUE.registry)?;
    let (images, batch) = (numbering.images(), u64::from(args.batch));
    let batches = images.div_ceil(batch);
    let mut progress = Progress::new(batches.saturating_mul(plan.steps().len() as u64));
    let mut next = 0;
    while next < images {
        let end = images.min(next.saturating_add(batch));
        let job = |position| Job { prompt: classes[numbering.class(position)], image: numbering.number(position) };
        let jobs: Vec<_> = (next..end).map(job).collect();
        tracing::info!(first_image = %jobs[0].image, images = jobs.len(), ar_steps = plan.steps().len(), "running");
        let pictures = sampler.run(&mut generator, &jobs, &settings, &mut progress)?;
        for (position, picture) in (next..end).zip(&pictures) {
            series.add(position, picture)?;
        }
        next = end;
    }
    progress.0.finish_and_clear();
    let parameters = series.finish()?;
    output::print(&summary(args, (&plan, images), &parameters, started.elapsed().as_secs_f64()))?;
    Ok(ExitStatus::Success)
}

/// The plan that was asked for, with the timesteps that the model is good for.
fn plan(args: &SampleArgs, generator: &MarGenerator) -> Result<Plan, CliError> {
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
            args.model
        )));
    }
    tracing::info!(file = %name, ar_steps = plan.steps().len(), "read a plan");
    Ok(plan)
}

fn settings(args: &SampleArgs, generator: &MarGenerator) -> Result<Settings, CliError> {
    let scale = args.cfg.or(generator.config().guidance).unwrap_or(1.0);
    let ramp = args.cfg_schedule.map_or(generator.config().guidance_schedule, Into::into);
    let guidance = Guidance::new(scale, ramp).map_err(|error| CliError::usage(format_args!("--cfg: {error}")))?;
    Ok(Settings { seed: Seed(args.seed), guidance, temperature: args.temperature })
}

/// The summary, in words or as JSON.
fn summary(args: &SampleArgs, (plan, images): (&Plan, u64), parameters: &Parameters, seconds: f64) -> String {
    let numbers = plan.summary();
    let (ar_steps, network_evaluations) = (numbers.ar_steps, numbers.network_evaluations());
    if args.json {
        let summary = serde_json::json!({
            "out": args.out.to_string_lossy(),
            "images": images,
            "ar_steps": ar_steps,
            "head_evaluations": numbers.head_evaluations,
            "network_evaluations": network_evaluations,
            "seconds": seconds,
            "parameters": parameters,
        });
        return format!("{summary}\n");
    }
    let plural = if images == 1 { "" } else { "s" };
    format!(
        "{}: {images} image{plural}, {}, {}, {seconds:.2} s\n",
        args.out.display(),
        crate::table::count(ar_steps, "AR step"),
        crate::table::count(network_evaluations, "network evaluation"),
    )
}

/// A bar over the AR steps of all batches; nothing where standard error is no terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} AR steps, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl<G: MaskedGenerator> Observer<G> for Progress {
    fn step(&mut self, event: &StepEvent<'_, G>) -> Flow {
        let (stage, tokens) = (event.step.stage(), event.step.tokens());
        tracing::debug!(step = event.index + 1, of = event.steps, stage, tokens, guidance = event.guidance, "AR step");
        self.0.inc(1);
        Flow::Continue
    }
}

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::UnknownModel { .. } | BackendError::Class { .. } => Self::Usage(chain(&error)),
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
