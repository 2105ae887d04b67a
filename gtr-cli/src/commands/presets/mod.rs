//! `presets`: lists or plots the named schedules.

mod curve;

use std::fmt::Write as _;

use gtr_core::preset::{self, Preset, Status};
use gtr_core::{Grid, Registry, Seed};

use crate::args::{ListFormat, PresetsArgs, SelectedSchedule};
use crate::catalogue::Catalogue;
use crate::commands::plan::HOME;
use crate::commands::plot::Plot;
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_draw::table::wrap;
use gtr_lab::losses::Losses;

/// Runs the command.
pub(super) fn run(args: &PresetsArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let registry = &catalogue.registry;
    let one = args.name.as_deref().map(preset::find).transpose()?;
    let wanted = one.map_or(preset::all(), std::slice::from_ref);
    let plot = args.plot.as_deref().map(Plot::new).transpose()?;
    let losses = args.loss.losses(None)?.roughly();
    if let Some(plot) = plot {
        let grid = match args.grid {
            Some(grid) => grid,
            None => Grid::new(HOME.0, HOME.1).map_err(CliError::usage)?,
        };
        plot.save(&curve::figure(wanted, grid, &losses, registry)?)?;
        return Ok(ExitStatus::Success);
    }
    output::print(&match args.format {
        ListFormat::Json => to_json(&wanted),
        ListFormat::Text => {
            let mut text =
                wanted.iter().map(|preset| describe(preset, &losses, registry)).collect::<Result<String, _>>()?;
            if let Some(preset) = one {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n{}", to_json(&preset.schedule));
            }
            text
        }
    })?;
    Ok(ExitStatus::Success)
}

fn describe(preset: &Preset, losses: &Losses, registry: &Registry) -> Result<String, CliError> {
    let status = match preset.status {
        Status::Published => "published",
        Status::Ours => "ours",
    };
    let Preset { name, summary, source, home_grid, .. } = preset;
    let source = wrap(&format!("Source: {source}"), 4, 2);
    let chosen = SelectedSchedule { name: name.clone(), home_grid: None, schedule: preset.schedule.clone() };
    let lost = losses.of(&chosen.plan(*home_grid, registry)?.plan, Seed(0)).line(losses);
    Ok(format!("{name} ({home_grid}, {status})\n{}{source}{}", wrap(summary, 4, 0), wrap(&lost, 4, 2)))
}
