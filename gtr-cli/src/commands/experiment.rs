//! `experiment`: runs named comparisons and writes their pages.

use std::path::{Path, PathBuf};

use gtr_backends::judge::{Bootstrap, Reference};
use serde_json::json;

use super::{eval, to_json};
use crate::args::ExperimentArgs;
use crate::error::{CliError, ExitStatus};
use crate::evaluation::{Evaluator, Images, Report, Row, Scale, Subject, figure};
use crate::experiment::{self, Experiment, MoreSeeds, Page, Prediction};
use crate::output::{self, Target, check_folder, make_folder};
use crate::shell::{Arguments, quoted};
use crate::table::{Align, Rows, count};

/// Extensions of the files of a page. The page itself is written last.
const ENDINGS: [&str; 4] = ["csv", "json", "svg", "md"];

fn file(folder: &Path, experiment: &Experiment, ending: &str) -> PathBuf {
    folder.join(format!("{}.{ending}", experiment.name))
}

/// Runs the command.
pub(super) fn run(args: &ExperimentArgs) -> Result<ExitStatus, CliError> {
    let Some(name) = &args.name else {
        output::print(&list())?;
        return Ok(ExitStatus::Success);
    };
    let experiments = experiment::find(name)?;
    let series = &args.series;
    let images = Images::new(series.count, &series.seeds, 10)?;
    if let Some(out) = &args.out {
        // Before any computation.
        check_folder(out)?;
        make_folder(out)?;
        for experiment in &experiments {
            ENDINGS.iter().try_for_each(|ending| Target::new(&file(out, experiment, ending)).map(|_| ()))?;
        }
    }
    let mut evaluator = Evaluator::open(&args.model, args.model.judge()?, series.store.as_deref(), series.batch)?;
    let scale = Scale {
        reference: evaluator.reference(Reference::All),
        bootstrap: Bootstrap { resamples: series.resamples, ..Bootstrap::default() },
    };
    for experiment in experiments {
        let subjects = subjects(experiment, &evaluator)?;
        let mut rows = match Row::all(&mut evaluator, &subjects, &images, &scale)? {
            Ok(rows) => rows,
            Err(status) => return Ok(eval::stopped(status, series.store.is_some())),
        };
        untimed(&mut rows);
        let plans: Vec<_> = subjects.iter().map(|subject| subject.plan.clone()).collect();
        let predictions = Prediction::all(experiment, &args.model.model, &plans)?;
        let again = match again(experiment, &mut evaluator, &subjects, (&images, &scale))? {
            Ok(again) => again,
            Err(status) => return Ok(eval::stopped(status, series.store.is_some())),
        };
        let page = Page { predictions, again, ..page(args, experiment, rows, &evaluator)? };
        write(args, &page)?;
    }
    Ok(ExitStatus::Success)
}

/// Removes the times, so that the same command writes the same bytes.
fn untimed(rows: &mut [Row]) {
    rows.iter_mut().filter_map(|row| row.made.as_mut()).for_each(|made| made.seconds = None);
}

/// Measures the rows that the experiment repeats with more seeds.
fn again(
    experiment: &Experiment,
    evaluator: &mut Evaluator,
    subjects: &[Subject],
    (images, scale): (&Images, &Scale),
) -> Result<Result<Option<MoreSeeds>, ExitStatus>, CliError> {
    let Some(asked) = &experiment.again else { return Ok(Ok(None)) };
    let named = |name: &String| subjects.iter().find(|subject| subject.name == *name).cloned();
    let some: Vec<Subject> = asked.rows.iter().filter_map(named).collect();
    let count = images.each() * images.seeds().len() as u64;
    let mut measure = |seeds: &[u64]| -> Result<Result<Vec<Row>, ExitStatus>, CliError> {
        let images = Images::new(count * seeds.len() as u64, seeds, 10)?;
        let mut rows = Row::all(evaluator, &some, &images, scale)?;
        if let Ok(rows) = &mut rows {
            untimed(rows);
        }
        Ok(rows)
    };
    let rows = match measure(&asked.seeds)? {
        Ok(rows) => rows,
        Err(status) => return Ok(Err(status)),
    };
    let mut each = Vec::new();
    for &seed in &asked.seeds {
        match measure(&[seed])? {
            Ok(rows) => each.push(rows),
            Err(status) => return Ok(Err(status)),
        }
    }
    Ok(Ok(Some(MoreSeeds { seeds: asked.seeds.clone(), rows, each })))
}

fn subjects(experiment: &Experiment, evaluator: &Evaluator) -> Result<Vec<Subject>, CliError> {
    let subject = |variant: &experiment::Variant| {
        let plan = evaluator.plan(variant.chosen()?)?;
        Ok(Subject { name: variant.name.clone(), plan, guidance: evaluator.guidance(None)?, temperature: 1.0 })
    };
    experiment.rows.iter().map(subject).collect()
}

fn page<'a>(
    args: &ExperimentArgs,
    experiment: &'a Experiment,
    rows: Vec<Row>,
    evaluator: &Evaluator,
) -> Result<Page<'a>, CliError> {
    let series = &args.series;
    let seeds: Vec<String> = series.seeds.iter().map(u64::to_string).collect();
    let seeds = seeds.join(",");
    let guidance = evaluator.guidance(None)?;
    let mut again = Arguments::default();
    again.extend(["gtr-cli", "experiment", experiment.name.as_str()]);
    again.extend(args.model.again().into_words());
    again.add("--count", series.count);
    again.add("--seeds", &seeds);
    again.add("--resamples", series.resamples);
    again.add("--out", "docs/results");
    let command = quoted(&again.into_words()).ok_or_else(|| {
        CliError::usage("a file name has control characters and cannot be written on the page: rename the file")
    })?;
    let mut settings = evaluator.settings(&args.model);
    let text = |part: &str| settings[part].as_str().unwrap_or_default();
    let (model, fingerprint) = (text("model"), text("model_sha256"));
    let real = match evaluator.real() {
        "digits" => "all 10,000 real digits".to_owned(),
        other => format!("all real {other} of its judge"),
    };
    let how = format!(
        "Model `{model}` (SHA-256 {}...; {}, {}) on {}, guidance {} ({}), temperature 1. {} per row, equally many of each class, {}: \
         {seeds}. Distances are from the features of {real}; confidence intervals are at 95 %, from {} resamples. See \
         [docs/evaluation.md](../evaluation.md).",
        &fingerprint[..12.min(fingerprint.len())],
        text("dtype"),
        text("device"),
        evaluator.grid(),
        guidance.scale(),
        json!(guidance.schedule()).as_str().unwrap_or_default(),
        count(series.count, "image"),
        if series.seeds.len() == 1 { "seed" } else { "seeds" },
        series.resamples
    );
    for (name, value) in [
        ("experiment", json!(experiment.name)),
        ("command", json!(command)),
        ("seeds", json!(series.seeds)),
        ("reference", json!(Reference::All.name())),
        ("resamples", json!(series.resamples)),
    ] {
        settings.insert(name.to_owned(), value);
    }
    let report = Report { settings: settings.into(), rows };
    Ok(Page { experiment, report, predictions: Vec::new(), again: None, command, how })
}

/// Writes a page and its data, or prints the page.
fn write(args: &ExperimentArgs, page: &Page<'_>) -> Result<(), CliError> {
    let Some(out) = &args.out else { return output::print(&page.markdown()) };
    let texts =
        [page.report.csv(), to_json(&page.json()), figure(&page.experiment.title, &page.report.rows), page.markdown()];
    for (added, figure) in page.figures() {
        let file = out.join(format!("{}{added}.svg", page.experiment.name));
        output::write(&figure, Some(&file))?;
    }
    for (ending, text) in ENDINGS.iter().zip(texts) {
        output::write(&text, Some(&file(out, page.experiment, ending)))?;
    }
    output::note(format_args!("{} is written to {}", page.experiment.name, out.display()));
    Ok(())
}

/// Lists the experiments.
fn list() -> String {
    let mut rows = Rows::new([("experiment", Align::Left), ("rows", Align::Right), ("what it compares", Align::Left)]);
    for Experiment { name, title, rows: variants, .. } in experiment::all() {
        rows.add([name.clone(), variants.len().to_string(), title.clone()]);
    }
    rows.text()
}
