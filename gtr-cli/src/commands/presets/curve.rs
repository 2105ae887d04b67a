//! Plot of the loss of the presets over their AR steps.

use gtr_core::preset::Preset;
use gtr_core::{Grid, Registry, Seed};

use crate::args::SelectedSchedule;
use crate::error::CliError;
use gtr_draw::chart::{Axis, Chart, Marks, Point, Series};
use gtr_draw::palette::category;
use gtr_lab::losses::Losses;

/// Width and height of the figure.
const SIZE: (f64, f64) = (760.0, 480.0);

/// Number of AR steps, loss in nats and name of a preset.
type Place = (f64, f64, String);

/// Returns the figure as SVG. A line joins the presets of a family. The axes are logarithmic, so a preset with a loss of 0 does
/// not appear.
pub(super) fn figure(presets: &[Preset], grid: Grid, losses: &Losses, registry: &Registry) -> Result<String, CliError> {
    let mut families: Vec<(String, Vec<Place>)> = Vec::new();
    // Optional axes do not change the loss: a preset that sets one would lie on the point of another.
    let required_only = |preset: &&Preset| preset.schedule.axes().all(|(axis, _)| axis.default_kind().is_none());
    for preset in presets.iter().filter(required_only) {
        let chosen = SelectedSchedule { name: preset.name.clone(), home_grid: None, schedule: preset.schedule.clone() };
        let plan = chosen.plan(grid, registry)?.plan;
        let Some(loss) = losses.of(&plan, Seed(0)).total() else { continue };
        let steps = f64::from(u32::try_from(plan.steps().len()).unwrap_or(u32::MAX));
        let family = family(&preset.name);
        let place = families.iter().position(|(name, _)| name == family).unwrap_or_else(|| {
            families.push((family.to_owned(), Vec::new()));
            families.len() - 1
        });
        families[place].1.push((steps, loss, preset.name.clone()));
    }
    let mut series = Vec::new();
    for (at, (_, points)) in families.iter_mut().enumerate() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if points.len() > 1 {
            let line = points.iter().map(|(steps, loss, _)| (*steps, *loss));
            series.push(Series::new("", Marks::Line, category(at)).with(line));
        }
    }
    for (at, (name, points)) in families.iter().enumerate() {
        let points = points.iter().map(|(steps, loss, name)| Point::at(*steps, *loss).label(name));
        series.push(Series::new(name, Marks::Points, category(at)).with(points));
    }
    let chart = Chart {
        title: format!("Loss of the presets on {grid}, on the field {}", losses.field()),
        x: Axis::new("AR steps").log(),
        y: Axis::new("loss, in nats").log(),
        series,
        ..Chart::default()
    };
    Ok(chart.figure(SIZE.0, SIZE.1))
}

/// Returns the family of a preset: its name without the number of steps.
fn family(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((family, _)) => family,
        None => name,
    }
}
