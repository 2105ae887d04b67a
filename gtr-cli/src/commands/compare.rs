//! `plan --compare`: compares presets.

use gtr_core::{Grid, ImageIndex, Plan, Seed, Summary, preset};
use gtr_draw::figure::{self, PlanView};
use gtr_draw::gaps::{Gap, gaps, is_landmark, is_measured};
use gtr_draw::page::{self, PlanPage};
use gtr_draw::table::{Align, TableRows, length};
use gtr_lab::losses::{self, Losses, PlanLoss};
use serde::Serialize;

use crate::args::{PlanArgs, PlanFormat, SelectedSchedule};
use crate::catalogue::Catalogue;
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// A preset on the grid of the comparison.
#[derive(Debug, Serialize)]
struct Side {
    preset: String,
    grid: Grid,
    #[serde(flatten)]
    summary: Summary,
    network_evaluations: usize,
    /// Largest gap of the tokens known after AR steps.
    gaps: Vec<Gap>,
    /// Loss, with the contributions of stages, AR steps and tokens.
    loss: losses::Summary,
    #[serde(skip)]
    lost: PlanLoss,
    #[serde(skip)]
    lost_stages: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &PlanArgs, format: PlanFormat, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let registry = &catalogue.registry;
    args.schedule.refuse("each preset of --compare")?;
    let presets = args.compare.iter().map(|name| preset::find(name.trim())).collect::<Result<Vec<_>, _>>()?;
    let spec = args.model.as_deref().map(|model| catalogue.families.spec(model)).transpose()?;
    let losses = args.loss.losses(args.model.as_deref())?;
    let home = spec.as_ref().map(|spec| spec.grid);
    let Some(grid) = args.grid.or(home).or(presets.first().map(|preset| preset.home_grid)) else {
        return Err(CliError::usage("--compare: expected at least one preset"));
    };
    let order = (Seed(args.seed.unwrap_or_default()), ImageIndex(args.image));
    let plans = presets.iter().map(|preset| {
        let (name, mut schedule) = (preset.name.clone(), preset.schedule.clone());
        if let Some(spec) = &spec {
            schedule.set_default_timestep_limit(spec.timestep_limit)?;
        }
        let plan = SelectedSchedule { name, home_grid: None, schedule }.plan(grid, registry)?.plan;
        Ok((preset.name.clone(), plan))
    });
    let plans = plans.collect::<Result<Vec<_>, CliError>>()?;
    let sides = |shown: fn(&Plan, usize) -> bool| -> Result<Vec<Side>, CliError> {
        plans.iter().map(|(name, plan)| side(name, plan, order, &losses, shown)).collect()
    };
    let figure = || {
        let shown = plans.iter().map(|(name, plan)| {
            let shown = PlanView::new(name, plan, order)?;
            Ok(shown.with_loss(losses.drawn(plan, order)))
        });
        figure::compare(&shown.collect::<Result<Vec<_>, CliError>>()?).map_err(too_many_sides)
    };
    match format {
        PlanFormat::Json | PlanFormat::Summary => output::write(&to_json(&sides(is_measured)?), args.out.as_deref())?,
        PlanFormat::Table => output::write(&table(grid, &sides(is_landmark)?, order, &losses), args.out.as_deref())?,
        PlanFormat::Svg => output::write(&figure()?, args.out.as_deref())?,
        PlanFormat::Png => output::paint(&figure()?, args.out.as_deref())?,
        PlanFormat::Html => {
            let names: Vec<&str> = plans.iter().map(|(name, _)| name.as_str()).collect();
            let title = format!("{} on {grid}", names.join(" and "));
            let side = |(name, plan): &(String, Plan)| PlanPage {
                name: name.clone(),
                plan: plan.clone(),
                loss: losses.drawn(plan, order),
            };
            let sides: Vec<PlanPage> = plans.iter().map(side).collect();
            output::write(&page::plans(&title, &sides, order)?, args.out.as_deref())?;
        }
    }
    Ok(ExitStatus::Success)
}

/// Converts an error of drawing. If a figure has no room for all presets, recommends a table.
fn too_many_sides(error: gtr_draw::Error) -> CliError {
    match error {
        gtr_draw::Error::TooManyPlans { found, most } => CliError::usage(format_args!(
            "--compare draws at most {most} presets side by side, not {found}; --format table compares any number"
        )),
        error => error.into(),
    }
}

fn side(
    name: &str,
    plan: &Plan,
    order: (Seed, ImageIndex),
    losses: &Losses,
    shown: fn(&Plan, usize) -> bool,
) -> Result<Side, CliError> {
    let summary = plan.summary();
    let lost = losses.of(plan, order.0);
    Ok(Side {
        preset: name.to_owned(),
        grid: plan.grid(),
        network_evaluations: summary.network_evaluations(),
        summary,
        gaps: gaps(plan, order, |step| shown(plan, step))?,
        loss: lost.summary(losses, Some(plan)),
        lost_stages: lost.stages(plan),
        lost,
    })
}

fn table(grid: Grid, sides: &[Side], (seed, image): (Seed, ImageIndex), losses: &Losses) -> String {
    format!(
        "Presets on {grid}\n\n{}{}\nStages\n\n{}\nLargest gap after AR step, image {image}, seed {seed}\n\n{}",
        totals(sides),
        on_what(sides, losses),
        stages(sides),
        landmarks(sides)
    )
}

/// Returns the field on which losses were computed, or the reason why they were not, as text.
fn on_what(sides: &[Side], losses: &Losses) -> String {
    let why = sides.iter().find_map(|side| match &side.lost {
        PlanLoss::Unknown(why) => Some(why),
        PlanLoss::Known(_) => None,
    });
    let field = losses.field();
    why.map_or_else(
        || format!("\nLosses are on the field {field}.\n"),
        |why| format!("\nLosses are not computed on the field {field}: {why}.\n"),
    )
}

fn totals(sides: &[Side]) -> String {
    use Align::{Left, Right};
    let mut rows = TableRows::new([
        ("\npreset", Left),
        ("\ntokens", Right),
        ("AR\nsteps", Right),
        ("head\nevaluations", Right),
        ("network\nevaluations", Right),
        ("head evaluations\nof all tokens", Right),
        ("loss\nnats", Right),
    ]);
    for side in sides {
        let Summary { tokens, ar_steps, head_evaluations, token_evaluations, .. } = &side.summary;
        let numbers = [*tokens, *ar_steps, *head_evaluations, side.network_evaluations, *token_evaluations];
        let numbers = numbers.map(|number| number.to_string());
        rows.add(std::iter::once(side.preset.clone()).chain(numbers).chain([side.lost.cell()]));
    }
    rows.text()
}

fn stages(sides: &[Side]) -> String {
    use Align::{Left, Right};
    let mut rows = TableRows::new([
        ("\npreset", Left),
        ("\nstage", Left),
        ("\ntokens", Right),
        ("AR\nsteps", Right),
        ("closest\npair", Right),
        ("largest\ngap", Right),
        ("loss\nnats", Right),
    ]);
    for side in sides {
        for ((position, stage), lost) in side.summary.stages.iter().enumerate().zip(&side.lost_stages) {
            rows.add([
                if position == 0 { side.preset.clone() } else { String::new() },
                format!("{} {}", position + 1, stage.role),
                stage.tokens.to_string(),
                stage.ar_steps.to_string(),
                length(stage.spread.closest_pair),
                length(stage.spread.covering_radius),
                lost.clone(),
            ]);
        }
    }
    rows.text()
}

/// One column per AR step that is a power of two. The last AR step of each preset leaves no gap and is not shown.
fn landmarks(sides: &[Side]) -> String {
    let most = sides.iter().map(|side| side.summary.ar_steps).max().unwrap_or_default();
    let steps: Vec<usize> = (0..usize::BITS).map(|power| 1 << power).take_while(|&step| step < most.max(2)).collect();
    let names: Vec<String> = steps.iter().map(usize::to_string).collect();
    let columns = names.iter().map(|name| (name.as_str(), Align::Right));
    let mut rows = TableRows::new(std::iter::once(("preset", Align::Left)).chain(columns));
    for side in sides {
        let gap = |step: &usize| side.gaps.iter().find(|gap| gap.ar_step == *step);
        let cell = |step| gap(step).map_or_else(|| "-".to_owned(), |gap| length(gap.largest_gap));
        rows.add(std::iter::once(side.preset.clone()).chain(steps.iter().map(cell)));
    }
    rows.text()
}
