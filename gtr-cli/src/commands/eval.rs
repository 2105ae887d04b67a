//! `eval`: measures the quality of presets, plans and images.

use std::path::PathBuf;

use gtr_backends::judge::{Bootstrap, Frechet};
use gtr_core::{Guidance, Plan, preset};
use serde_json::Map;

use super::{plan_file, to_json, warn_of_weak_guidance};
use crate::args::{AxisFlags, Chosen, EvalArgs, EvalFormat, ScheduleArgs};
use crate::error::{CliError, ExitStatus};
use crate::evaluation::{Evaluator, Images, Outside, Plot, Report, Row, Scale, Subject};
use crate::output::{self, Target};

/// Default presets.
const PRESETS: [&str; 3] = ["mar-16", "gtr-16", "gtr-8"];

/// Runs the command.
pub(super) fn run(args: &EvalArgs) -> Result<ExitStatus, CliError> {
    output::apart(
        &[("--out", args.out.as_deref()), ("--plot", args.plot.as_deref())],
        &[files("--images", &args.images), files("--plan", &args.plans), files("--schedule", &args.schedules)].concat(),
    )?;
    let (series, format) = (&args.series, args.format()?);
    let named = !args.presets.is_empty() || !args.schedules.is_empty() || !args.plans.is_empty();
    let generating = named || args.images.is_empty();
    if !generating {
        refuse_flags_of_generation(args)?;
    }
    let images = generating.then(|| Images::new(series.count, &series.seeds, 10)).transpose()?;
    if let Some(out) = &args.out {
        Target::new(out)?;
    }
    let plot = args.plot.as_deref().map(Plot::new).transpose()?;
    let judge = args.model.judge()?;
    let scale = Scale {
        reference: Frechet::from(judge.reference(args.reference)),
        bootstrap: Bootstrap { resamples: series.resamples, ..Bootstrap::default() },
    };
    let outside = args.images.iter().map(|path| Row::outside(&Outside::read(path, &judge)?, &scale));
    let mut rows = outside.collect::<Result<Vec<_>, _>>()?;
    let mut settings = Map::new();
    if let Some(images) = images {
        let mut evaluator = Evaluator::open(&args.model, judge, series.store.as_deref(), series.batch)?;
        settings = evaluator.settings(&args.model);
        settings.insert("seeds".to_owned(), series.seeds.clone().into());
        let subjects = subjects(args, &evaluator)?;
        match Row::all(&mut evaluator, &subjects, &images, &scale)? {
            Ok(generated) => rows.splice(0..0, generated),
            Err(status) => return Ok(stopped(status, args.series.store.is_some())),
        };
    }
    for made in rows.iter_mut().filter_map(|row| row.made.as_mut()).filter(|_| args.untimed) {
        made.seconds = None;
    }
    settings.insert("reference".to_owned(), args.reference.name().into());
    settings.insert("resamples".to_owned(), series.resamples.into());
    let report = Report { settings: settings.into(), rows };
    if let Some(warning) = report.warning() {
        output::note(warning);
    }
    if let Some(plot) = plot {
        plot.write(&format!("{} images of {} per row", series.count, args.model.model), &report.rows)?;
    }
    let text = match format {
        EvalFormat::Json => to_json(&report.json()),
        EvalFormat::Csv => report.csv(),
        EvalFormat::Table => report.text(),
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

/// Pairs each path with the flag that it is given to.
fn files<'a>(flag: &'static str, paths: &'a [PathBuf]) -> Vec<output::Named<'a>> {
    paths.iter().map(|path| (flag, Some(path.as_path()))).collect()
}

/// Prints how to resume a stopped run.
pub(super) fn stopped(status: ExitStatus, kept: bool) -> ExitStatus {
    let next = if kept { "run the same command again to resume" } else { "without --store nothing is saved" };
    output::note(format_args!("stopped: {next}"));
    status
}

/// Returns an error if a flag of the generation is given, but no image is generated.
fn refuse_flags_of_generation(args: &EvalArgs) -> Result<(), CliError> {
    let flags = [
        ("axis flags", args.axes != AxisFlags::default()),
        ("--cfg", !args.cfg.is_empty()),
        ("--temperature", args.temperature != 1.0),
        ("--store", args.series.store.is_some()),
        ("--plot", args.plot.is_some()),
    ];
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::usage(format_args!(
            "{flag}: no effect on the images of --images; remove it, or add --presets to compare them with"
        ))),
        None => Ok(()),
    }
}

/// Returns one subject per row: presets, schedules and plans, each with every guidance scale.
fn subjects(args: &EvalArgs, evaluator: &Evaluator) -> Result<Vec<Subject>, CliError> {
    let mut plans = Vec::new();
    let any = args.presets.len() + args.schedules.len() + args.plans.len() > 0;
    let names: Vec<String> =
        if any { args.presets.clone() } else { PRESETS.iter().map(|&name| name.to_owned()).collect() };
    for name in names {
        let name = preset::find(name.trim())?.name.clone();
        let flags = ScheduleArgs { preset: Some(name), schedule: None, axes: args.axes.clone() };
        plans.push(planned(evaluator, flags.choose()?)?);
    }
    for file in &args.schedules {
        let flags = ScheduleArgs { preset: None, schedule: Some(file.clone()), axes: args.axes.clone() };
        plans.push(planned(evaluator, flags.choose()?)?);
    }
    if !args.plans.is_empty()
        && args.presets.is_empty()
        && args.schedules.is_empty()
        && args.axes != AxisFlags::default()
    {
        return Err(CliError::usage("the plan of --plan cannot be changed: remove the flags of the axes"));
    }
    for file in &args.plans {
        let plan = plan_file::read(file, &args.model.model, evaluator.grid(), evaluator.timestep_limit())?;
        if !plan.known().is_empty() {
            let known = plan.known().len();
            return Err(CliError::usage(format_args!(
                "{}: expected a plan of whole images, found {known} known tokens",
                file.display()
            )));
        }
        plans.push((file.display().to_string(), plan));
    }
    let scales: Vec<Option<f64>> =
        if args.cfg.is_empty() { vec![None] } else { args.cfg.iter().map(|&scale| Some(scale)).collect() };
    let mut subjects = Vec::new();
    for (name, plan) in plans {
        for &scale in &scales {
            let guidance: Guidance = evaluator.guidance(scale)?;
            warn_of_weak_guidance(guidance.scale());
            let name = match scale {
                Some(scale) if scales.len() > 1 => format!("{name}, cfg {scale}"),
                _ => name.clone(),
            };
            subjects.push(Subject { name, plan: plan.clone(), guidance, temperature: args.temperature });
        }
    }
    Ok(subjects)
}

fn planned(evaluator: &Evaluator, chosen: Chosen) -> Result<(String, Plan), CliError> {
    let name = chosen.name.clone();
    Ok((name, evaluator.plan(chosen)?))
}
