//! `plan`: plans a schedule on a grid, and shows or saves the plan.

use std::fmt::Write as _;

use gtr_core::{AxisName, Grid, ImageIndex, Plan, Schedule, Seed, count};
use gtr_draw::config_text::config_text;
use gtr_draw::figure::{self, PlanView};
use gtr_draw::page::{self, PlanPage};
use gtr_draw::step_axes;
use gtr_draw::table::{self, Align, TableRows, range};
use gtr_draw::text::{self, Room};
use gtr_lab::losses::{self, Losses, PlanLoss};
use serde::Serialize;

use crate::args::{PlanArgs, PlanFormat};
use crate::catalogue::Catalogue;
use crate::commands::{compare, to_json, verify};
use crate::error::{CliError, ExitStatus};
use crate::input::is_stream;
use crate::output;

/// Default grid, for schedules without a home grid.
pub(super) const HOME: (u32, u32) = (16, 16);

/// Runs the command.
pub(super) fn run(args: &PlanArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    output::refuse_same_file(
        &[("--out", args.out.as_deref())],
        &[("--plan", args.plan.as_deref()), ("--schedule", args.schedule.schedule.as_deref())],
    )?;
    let format = args.format()?;
    if format == PlanFormat::Png {
        output::refuse_terminal(args.out.as_deref(), "a PNG figure")?;
    }
    if !args.compare.is_empty() {
        return compare::run(args, format, catalogue);
    }
    let losses = args.loss.losses(args.model.as_deref())?;
    let (name, plan) = planned(args, catalogue)?;
    let order = (Seed(args.seed.unwrap_or_default()), ImageIndex(args.image));
    let figure = || {
        let shown = PlanView::new(&name, &plan, order)?.with_loss(losses.drawn(&plan, order));
        Ok::<_, CliError>(figure::plan(&shown))
    };
    match format {
        PlanFormat::Json => {
            if args.seed.is_some() {
                output::note("the seed is not part of a plan; give it to `sample`");
            }
            output::write(&plan.to_document().to_json(), args.out.as_deref())?;
        }
        PlanFormat::Table => {
            let to_file = args.out.as_deref().is_some_and(|out| !is_stream(out));
            let room = if to_file { Room::FILE } else { room_of_stdout() };
            let lost = losses.of(&plan, order.0);
            let text = describe(&name, &plan, (&lost, &losses), args.seed.map(|_| order), room)?;
            output::write(&text, args.out.as_deref())?;
        }
        PlanFormat::Summary => {
            let lost = losses.of(&plan, order.0).summary(&losses, Some(&plan));
            output::write(&to_json(&PlanDescription::new(&name, &plan, lost)), args.out.as_deref())?;
        }
        PlanFormat::Html => {
            let title = format!("{name} on {}", plan.grid());
            let side = PlanPage { name, loss: losses.drawn(&plan, order), plan };
            output::write(&page::plans(&title, &[side], order)?, args.out.as_deref())?;
        }
        PlanFormat::Svg => output::write(&figure()?, args.out.as_deref())?,
        PlanFormat::Png => output::paint(&figure()?, args.out.as_deref())?,
    }
    Ok(ExitStatus::Success)
}

/// Returns the width available on standard output: that of the terminal, if it is one.
fn room_of_stdout() -> Room {
    use std::io::IsTerminal as _;
    let stdout = std::io::stdout();
    let size = if stdout.is_terminal() { terminal_size::terminal_size_of(&stdout) } else { None };
    Room::of(size.map(|(width, _)| width.0.into()))
}

/// Summary of a plan, for JSON.
#[derive(Debug, Serialize)]
struct PlanDescription<'a> {
    name: &'a str,
    grid: Grid,
    schedule: &'a Schedule,
    #[serde(flatten)]
    summary: gtr_core::Summary,
    network_evaluations: usize,
    loss: losses::Summary,
}

impl<'a> PlanDescription<'a> {
    fn new(name: &'a str, plan: &'a Plan, loss: losses::Summary) -> Self {
        let summary = plan.summary();
        let network_evaluations = summary.network_evaluations();
        Self { name, grid: plan.grid(), schedule: plan.schedule(), summary, network_evaluations, loss }
    }
}

/// Returns the plan to show, and its name.
fn planned(args: &PlanArgs, catalogue: &Catalogue) -> Result<(String, Plan), CliError> {
    let Some(path) = &args.plan else {
        let mut chosen = args.schedule.choose(catalogue)?;
        let spec = args.model.as_deref().map(|model| catalogue.families.spec(model)).transpose()?;
        if let Some(spec) = &spec {
            chosen.schedule.set_default_timestep_limit(spec.timestep_limit)?;
        }
        let grid = match args.grid.or(spec.map(|spec| spec.grid)).or(chosen.home_grid) {
            Some(grid) => grid,
            None => Grid::new(HOME.0, HOME.1).map_err(CliError::usage)?,
        };
        let plan = chosen.plan(grid, &catalogue.registry)?.plan;
        return Ok((chosen.name, plan));
    };
    args.schedule.refuse("the plan of --plan")?;
    let plan = verify::sound(path, &catalogue.registry)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok((name, plan))
}

/// Describes a plan as text.
fn describe(
    name: &str,
    plan: &Plan,
    (lost, losses): (&PlanLoss, &Losses),
    order: Option<(Seed, ImageIndex)>,
    room: Room,
) -> Result<String, CliError> {
    let mut text = format!("{name} on {}\n\n{}\n", plan.grid(), choices(plan.schedule()));
    text.push_str(&stages(plan, lost));
    let summary = plan.summary();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\nTotal: {}, {}, {}, {}",
        count(summary.tokens, "token"),
        count(summary.ar_steps, "AR step"),
        count(summary.head_evaluations, "head evaluation"),
        count(summary.network_evaluations(), "network evaluation"),
    );
    let steps = plan.steps().len();
    if plan.steps().iter().any(|step| step.axes().guidance.is_some()) {
        let guided = step_axes::strengths(plan).into_iter().filter(|strength| *strength > 0.0).count();
        let _ = writeln!(text, "Guidance: in {guided} of {}", count(steps, "AR step"));
    }
    if let Some(complete) = step_axes::complete_steps(plan) {
        let complete = complete.into_iter().filter(|complete| *complete).count();
        let _ = writeln!(text, "Reuse: {complete} of {} compute the whole transformer", count(steps, "AR step"));
    }
    let _ = writeln!(text, "{}", lost.line(losses));
    let _ = write!(text, "\n{}", text::stages(plan, room));
    if let Some((seed, image)) = order {
        let _ = write!(text, "\n{}", text::steps(plan, seed, image, room)?);
    }
    Ok(text)
}

/// Formats the choice on each axis, one line per axis.
fn choices(schedule: &Schedule) -> String {
    let line = |(axis, config): (AxisName, _)| format!("{:<11}{}\n", axis.as_str(), config_text(config));
    schedule.axes().map(line).collect()
}

fn stages(plan: &Plan, lost: &PlanLoss) -> String {
    use Align::{Left, Right};
    let mut rows = TableRows::new([
        ("\nstage", Left),
        ("\ntokens", Right),
        ("closest\npair", Right),
        ("largest\ngap", Right),
        ("mean\ngap", Right),
        ("AR\nsteps", Right),
        ("diffusion\nsteps", Right),
        ("loss\nnats", Right),
        ("detail\nin a step", Left),
    ]);
    for ((position, stage), lost) in plan.summary().stages.iter().enumerate().zip(lost.stages(plan)) {
        rows.add(table::stage(position, stage).into_iter().chain([lost, detail(plan, position)]));
    }
    rows.text()
}

/// Formats the detail of a stage: number of tokens with extra diffusion steps, tokens per AR step, and diffusion steps.
fn detail(plan: &Plan, stage: usize) -> String {
    let steps = plan.steps().iter().filter(|step| step.stage() == stage);
    let with = steps.filter_map(|step| step.detail().map(|detail| (detail, step.tokens())));
    let ends = |values: Vec<usize>| {
        let (least, most) = (values.iter().min().copied(), values.iter().max().copied());
        range(least.unwrap_or_default(), most.unwrap_or_default())
    };
    let (details, tokens): (Vec<_>, Vec<_>) = with.unzip();
    match details.first() {
        None => "-".to_owned(),
        Some(first) => {
            let picked = details.iter().map(|detail| detail.tokens).collect();
            format!("{} of {} at {}", ends(picked), ends(tokens), first.diffusion_steps)
        }
    }
}
