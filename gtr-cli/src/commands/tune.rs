//! `tune`: searches for the best schedule within a budget.

use gtr_backends::judge::{Bootstrap, Reference};
use gtr_core::Seed;
use gtr_lab::evaluation::{EvaluationRow, Evaluator, ImageSet};
use gtr_lab::tune::{DataSplit, Evidence, Halving, HeldOut, Search, Sieved};
use serde_json::{Map, Value};

use super::{judging, to_json};
use crate::args::TuneArgs;
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::extension;
use crate::output::{self, Target};

/// Runs the command.
pub(super) fn run(args: &TuneArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    judging::ended(tune(args, catalogue), &args.series)
}

fn tune(args: &TuneArgs, catalogue: &Catalogue) -> Result<(), CliError> {
    let series = &args.series;
    ImageSet::new(series.count, &series.seeds, 10)?;
    let first_count = u64::from(args.first_count);
    if !first_count.is_multiple_of(10) {
        return Err(CliError::usage(format_args!(
            "--first-count {first_count}: expected a multiple of 10 (equal numbers for 10 classes)"
        )));
    }
    let split = DataSplit { seeds: vec![args.seed], reference: Reference::First };
    let held_out = HeldOut::by(&split, DataSplit { seeds: series.seeds.clone(), reference: Reference::Second })?;
    if let Some(out) = &args.out {
        extension::check("--out", out, "a preset", &["json"])?;
    }
    let out = args.out.as_deref().map(Target::new).transpose()?;
    let field = args.loss.losses(None)?.field().clone();

    let mut evaluator = judging::open(&args.model, series, args.model.judge(&catalogue.families)?, catalogue)?;
    let settings = settings(args, &evaluator);
    let guidance = evaluator.guidance(args.cfg)?;
    let (temperature, name) = (args.temperature, field.to_string());
    let mut search = Search { evaluator: &mut evaluator, guidance, temperature, split: split.clone(), field };
    let allowance = search.allowance(&args.budget, first_count)?;
    let space = search.space();
    let Sieved { candidates, thrown_out } =
        space.candidates(allowance.operations, Seed(args.seed), args.candidates as usize)?;
    let halving = Halving { candidates: candidates.len(), images: first_count };
    let rounds = search.halve(&candidates, &allowance, halving, 2 * series.count)?;
    let best = Evidence::best(&candidates, &rounds).and_then(|(best, _)| candidates.get(best));
    let pair: Vec<_> = candidates.first().into_iter().chain(best).collect();
    let bootstrap = Bootstrap { resamples: series.resamples, ..Bootstrap::default() };
    let mut rows = search.measure(&pair, &held_out, series.count, bootstrap)?;
    if allowance.seconds.is_none() {
        // The same command writes the same bytes.
        EvaluationRow::untimed(&mut rows);
    }
    let Ok([baseline, winner]) = <[_; 2]>::try_from(rows) else { return Ok(()) };

    let real = evaluator.real();
    let budget = args.budget.to_string();
    let evidence = Evidence {
        settings,
        budget,
        allowance,
        search: split,
        field: name,
        candidates,
        thrown_out,
        rounds,
        held_out,
        baseline,
        winner,
        real,
    };
    if let (Some(target), Some(path)) = (out, &args.out) {
        let name = path.file_stem().map_or_else(|| "tuned".to_owned(), |stem| stem.to_string_lossy().into_owned());
        if let Some(preset) = evidence.preset(&name, space.grid) {
            target.write(to_json(&preset).as_bytes())?;
        }
    }
    let text = evidence.text();
    args.out.as_deref().map_or_else(|| output::print(&text), |out| output::summary(&text, out))
}

/// Returns the other settings that determine the result.
fn settings(args: &TuneArgs, evaluator: &Evaluator<'_>) -> Map<String, Value> {
    let mut settings = evaluator.settings();
    settings.insert("seed".to_owned(), args.seed.into());
    settings.insert("resamples".to_owned(), args.series.resamples.into());
    settings
}
