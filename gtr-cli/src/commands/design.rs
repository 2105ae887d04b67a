//! `design`: searches for the schedule with the smallest loss.

use std::fmt::Write as _;

use gtr_core::design::{self, Design, Goal, Problem};
use gtr_core::preset::Preset;
use gtr_core::{AxisConfig, Grid, Seed, count};

use super::plan::HOME;
use super::to_json;
use crate::args::{DesignArgs, DesignFormat};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target};
use gtr_draw::config_text::config_text;
use gtr_draw::loss::nats;
use gtr_draw::table::{Align, TableRows};

/// Largest number of families that are listed.
const FAMILIES: usize = 8;

/// Runs the command.
pub(super) fn run(args: &DesignArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let target = args.out.as_deref().map(Target::new).transpose()?;
    let spec = args.model.as_deref().map(|model| catalogue.families.spec(model)).transpose()?;
    let grid = match args.grid.or(spec.map(|spec| spec.grid)) {
        Some(grid) => grid,
        None => Grid::new(HOME.0, HOME.1).map_err(CliError::usage)?,
    };
    let field = args.field.losses(args.model.as_deref())?.field().clone();
    let goal = match (args.ar_steps, args.loss) {
        (Some(steps), _) => Goal::ArSteps(steps),
        (None, Some(loss)) => Goal::Loss(loss),
        (None, None) => return Err(CliError::usage("expected --ar-steps N or --loss NATS")),
    };
    let problem = Problem {
        seed: Seed(args.seed),
        images: args.images,
        diffusion: AxisConfig::new("constant").with("t", args.t),
        ..Problem::new(grid, field)
    };
    let structured = design::structured(&problem, goal)?;
    let free = args.free.then(|| design::free(&problem, &structured, args.rounds as usize)).transpose()?;
    let preset = preset(args, grid, &structured, free.as_ref());
    if let Some(target) = target {
        target.write(to_json(&preset).as_bytes())?;
    }
    output::print(&match args.format {
        DesignFormat::Json => to_json(&preset),
        DesignFormat::Text => text(grid, &structured, free.as_ref()),
    })?;
    Ok(ExitStatus::Success)
}

/// Returns the schedule as a preset, named after its file or its AR steps. With --free it is the unstructured schedule.
fn preset(args: &DesignArgs, grid: Grid, structured: &Design, free: Option<&Design>) -> Preset {
    let stem = args.out.as_deref().and_then(|path| path.file_stem());
    let name = stem
        .map_or_else(|| format!("designed-{}", structured.ar_steps.get()), |stem| stem.to_string_lossy().into_owned());
    let mut preset = structured.preset(&name, grid, free);
    if let Some(free) = free {
        preset.schedule = free.schedule.clone();
        preset.summary = format!("Designed for low loss: {}", count(free.ar_steps.get(), "unstructured AR step"));
        preset.source =
            format!("ours: a loss of {:.4} nats on the field {}; see the evidence", free.loss.mean.total, free.field);
    }
    if let Some(evidence) = &mut preset.evidence {
        evidence.insert("seed".to_owned(), args.seed.into());
    }
    preset
}

fn text(grid: Grid, structured: &Design, free: Option<&Design>) -> String {
    let Design { schedule, ar_steps, loss, field, candidates, families } = structured;
    let mut text = format!(
        "{} nats in {} on {grid}, on the field {field}\n\norder  {}\npace   {}\n\n\
         The best of {}, found by dynamic programming over the stages.\n\n\
         The best of each cut, number of levels and order:\n\n",
        nats(loss.mean.total),
        count(ar_steps.get(), "AR step"),
        config_text(&schedule.order),
        config_text(&schedule.pace),
        count(*candidates, "candidate"),
    );
    let mut rows = TableRows::new([("loss", Align::Right), ("steps per stage", Align::Left), ("order", Align::Left)]);
    for family in families.iter().take(FAMILIES) {
        let steps: Vec<String> = family.steps.iter().map(usize::to_string).collect();
        rows.add([nats(family.loss), steps.join("+"), config_text(&family.order)]);
    }
    text.push_str(&rows.text());
    if families.len() > FAMILIES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "and {} more", families.len() - FAMILIES);
    }
    if let Some(free) = free {
        let (before, after) = (loss.mean.total, free.loss.mean.total);
        let _ = writeln!(
            text,
            "\nWith unstructured steps: {} nats after {}, {:.1} % less",
            nats(after),
            count(free.candidates, "move"),
            if before > 0.0 { 100.0 * (1.0 - after / before) } else { 0.0 }
        );
    }
    text
}
