//! `experiment`: runs named comparisons and writes their pages.

use std::path::{Path, PathBuf};

use gtr_backends::judge::{Bootstrap, Reference};
use gtr_core::{count, plural};
use gtr_draw::table::{Align, TableRows};
use gtr_lab::evaluation::{EvaluationReport, EvaluationRow, Evaluator, ImageSet, Scorer, figure};
use gtr_lab::experiment::{self, Experiment, MoreSeeds, Page, Prediction};
use gtr_run::arguments::{Arguments, quoted};
use serde_json::json;

use super::{judging, to_json};
use crate::args::ExperimentArgs;
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target, check_folder, make_folder};

/// Extensions of the files of a page. The page itself is written last.
const ENDINGS: [&str; 4] = ["csv", "json", "svg", "md"];

fn file(folder: &Path, experiment: &Experiment, ending: &str) -> PathBuf {
    folder.join(format!("{}.{ending}", experiment.name))
}

/// Runs the command.
pub(super) fn run(args: &ExperimentArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let Some(name) = &args.name else {
        output::print(&list())?;
        return Ok(ExitStatus::Success);
    };
    judging::ended(make(args, name, catalogue), &args.series)
}

/// Runs the experiment with a name, or all experiments.
fn make(args: &ExperimentArgs, name: &str, catalogue: &Catalogue) -> Result<(), CliError> {
    let experiments = experiment::find(name)?;
    let series = &args.series;
    let images = ImageSet::new(series.count, &series.seeds, 10)?;
    if let Some(out) = &args.out {
        // Report errors before any computation.
        check_folder(out)?;
        make_folder(out)?;
        for experiment in &experiments {
            ENDINGS.iter().try_for_each(|ending| Target::new(&file(out, experiment, ending)).map(|_| ()))?;
        }
    }
    let mut evaluator = judging::open(&args.model, series, args.model.judge(&catalogue.families)?, catalogue)?;
    let scale = Scorer {
        reference: evaluator.reference(Reference::All),
        bootstrap: Bootstrap { resamples: series.resamples, ..Bootstrap::default() },
    };
    for experiment in experiments {
        let subjects = experiment.subjects(&evaluator)?;
        let mut rows = EvaluationRow::all(&mut evaluator, &subjects, &images, &scale)?;
        // Remove the times, so that the same command writes the same bytes.
        EvaluationRow::untimed(&mut rows);
        let plans: Vec<_> = subjects.iter().map(|subject| subject.plan.clone()).collect();
        let predictions = Prediction::all(experiment, &args.model.model, &plans)?;
        let again = MoreSeeds::measure(experiment, &mut evaluator, &subjects, (&images, &scale))?;
        let page = Page { predictions, again, ..page(args, experiment, rows, &evaluator)? };
        write(args, &page)?;
    }
    Ok(())
}

fn page<'a>(
    args: &ExperimentArgs,
    experiment: &'a Experiment,
    rows: Vec<EvaluationRow>,
    evaluator: &Evaluator<'_>,
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
    let mut settings = evaluator.settings();
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
        plural(series.seeds.len(), "seed"),
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
    let report = EvaluationReport { settings: settings.into(), rows };
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
    output::note(format_args!("wrote {} to {}", page.experiment.name, out.display()));
    Ok(())
}

/// Lists the experiments.
fn list() -> String {
    let mut rows =
        TableRows::new([("experiment", Align::Left), ("rows", Align::Right), ("what it compares", Align::Left)]);
    for Experiment { name, title, rows: variants, .. } in experiment::all() {
        rows.add([name.clone(), variants.len().to_string(), title.clone()]);
    }
    rows.text()
}
