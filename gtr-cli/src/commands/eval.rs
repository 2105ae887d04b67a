//! `eval`: measures the quality of presets, plans and images.

use std::path::PathBuf;

use gtr_backends::judge::{Bootstrap, Frechet};
use gtr_core::{Guidance, Plan, preset};
use gtr_lab::evaluation::{EvaluationReport, EvaluationRow, Evaluator, ExternalImages, ImageSet, Scorer, Subject};
use serde_json::Map;

use super::plot::Plot;
use super::{judging, plan_file, to_json, warn_of_weak_guidance};
use crate::args::{AxisFlags, EvalArgs, EvalFormat, ScheduleArgs, SelectedSchedule, does_not_fit};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target};

/// Default presets.
const PRESETS: [&str; 3] = ["mar-16", "gtr-16", "gtr-8"];

/// Runs the command.
pub(super) fn run(args: &EvalArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    judging::ended(evaluate(args, catalogue), &args.series)
}

fn evaluate(args: &EvalArgs, catalogue: &Catalogue) -> Result<(), CliError> {
    output::refuse_same_file(
        &[("--out", args.out.as_deref()), ("--plot", args.plot.as_deref())],
        &[files("--images", &args.images), files("--plan", &args.plans), files("--schedule", &args.schedules)].concat(),
    )?;
    let (series, format) = (&args.series, args.format()?);
    let named = !args.presets.is_empty() || !args.schedules.is_empty() || !args.plans.is_empty();
    let generating = named || args.images.is_empty();
    if !generating {
        refuse_flags_of_generation(args)?;
    }
    let images = generating.then(|| ImageSet::new(series.count, &series.seeds, 10)).transpose()?;
    if let Some(out) = &args.out {
        Target::new(out)?;
    }
    let plot = args.plot.as_deref().map(Plot::new).transpose()?;
    let judge = args.model.judge(&catalogue.families)?;
    let scale = Scorer {
        reference: Frechet::from(judge.reference(args.reference)),
        bootstrap: Bootstrap { resamples: series.resamples, ..Bootstrap::default() },
    };
    let notes = output::notes();
    let external =
        args.images.iter().map(|path| EvaluationRow::external(&ExternalImages::read(path, &judge, &notes)?, &scale));
    let mut rows = external.collect::<Result<Vec<_>, _>>()?;
    let mut settings = Map::new();
    if let Some(images) = images {
        let mut evaluator = judging::open(&args.model, series, judge, catalogue)?;
        settings = evaluator.settings();
        settings.insert("seeds".to_owned(), series.seeds.clone().into());
        let subjects = subjects(args, &evaluator, catalogue)?;
        rows.splice(0..0, EvaluationRow::all(&mut evaluator, &subjects, &images, &scale)?);
    }
    if args.untimed {
        EvaluationRow::untimed(&mut rows);
    }
    settings.insert("reference".to_owned(), args.reference.name().into());
    settings.insert("resamples".to_owned(), series.resamples.into());
    let report = EvaluationReport { settings: settings.into(), rows };
    if let Some(warning) = report.warning() {
        output::note(warning);
    }
    if let Some(plot) = plot {
        plot.write(
            &format!("{} of {} per row", gtr_core::count(series.count, "image"), args.model.model),
            &report.rows,
        )?;
    }
    let text = match format {
        EvalFormat::Json => to_json(&report.json()),
        EvalFormat::Csv => report.csv(),
        EvalFormat::Table => report.text(),
    };
    output::write(&text, args.out.as_deref())
}

/// Pairs each path with its flag.
fn files<'a>(flag: &'static str, paths: &'a [PathBuf]) -> Vec<output::Named<'a>> {
    paths.iter().map(|path| (flag, Some(path.as_path()))).collect()
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
fn subjects(args: &EvalArgs, evaluator: &Evaluator<'_>, catalogue: &Catalogue) -> Result<Vec<Subject>, CliError> {
    let mut plans = Vec::new();
    let any = args.presets.len() + args.schedules.len() + args.plans.len() > 0;
    let names: Vec<String> =
        if any { args.presets.clone() } else { PRESETS.iter().map(|&name| name.to_owned()).collect() };
    for name in names {
        let name = preset::find(name.trim())?.name.clone();
        let flags = ScheduleArgs { preset: Some(name), schedule: None, axes: args.axes.clone() };
        plans.push(planned(evaluator, &flags.choose(catalogue)?)?);
    }
    for file in &args.schedules {
        let flags = ScheduleArgs { preset: None, schedule: Some(file.clone()), axes: args.axes.clone() };
        plans.push(planned(evaluator, &flags.choose(catalogue)?)?);
    }
    if !args.plans.is_empty()
        && args.presets.is_empty()
        && args.schedules.is_empty()
        && args.axes != AxisFlags::default()
    {
        return Err(CliError::usage("the plan of --plan cannot be changed: remove the flags of the axes"));
    }
    let model = (args.model.model.as_str(), evaluator.grid(), evaluator.timestep_limit());
    for file in &args.plans {
        let plan = plan_file::read(file, model, &catalogue.registry)?;
        if !plan.known().is_empty() {
            let known = gtr_core::count(plan.known().len(), "known token");
            return Err(CliError::usage(format_args!(
                "{}: expected a plan of whole images, found {known}",
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

fn planned(evaluator: &Evaluator<'_>, chosen: &SelectedSchedule) -> Result<(String, Plan), CliError> {
    let planned = evaluator.plan(&chosen.schedule).map_err(|error| match error {
        gtr_lab::Error::Core(error) => does_not_fit(error),
        error => error.into(),
    })?;
    Ok((chosen.name.clone(), planned.plan))
}
