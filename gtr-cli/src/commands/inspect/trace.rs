//! Traces: settings, decisions and times of a run.

use std::fmt::Write as _;
use std::path::Path;

use gtr_backends::Picture;
use gtr_backends::trace::{Batch, Description, StepRecord, Trace};
use gtr_core::{Plan, Registry, count};

use crate::args::{InspectArgs, InspectFormat};
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target};
use gtr_draw::config_text::config_text;
use gtr_draw::page::{self, TraceBatch, TraceData, TraceImage, TraceStep};
use gtr_draw::table::{Align, TableRows};
use gtr_run::picture::Bitmap;

/// Largest number of images on a page.
const PAGE: usize = 64;

/// Runs the command for a trace.
pub(super) fn run(args: &InspectArgs, format: InspectFormat, registry: &Registry) -> Result<ExitStatus, CliError> {
    let mut trace = Trace::open(&args.file, registry)?;
    let plan = trace.description().plan.clone();
    if let Some(unchecked) = &trace.description().unchecked {
        output::note(format_args!("{}: its plan: {unchecked}", args.file.display()));
    }
    if let Some(path) = &args.plan_out {
        Target::new(path)?.write(plan.to_document().to_json().as_bytes())?;
    }
    let text = match format {
        InspectFormat::Text => describe(&args.file, &mut trace)?,
        InspectFormat::Json => to_json(&read(&mut trace, usize::MAX, false)?),
        InspectFormat::Html => {
            page::check_trace(&plan)?;
            let data = read(&mut trace, PAGE, true)?;
            if data.images.is_empty() {
                return Err(CliError::Failure(format!(
                    "{}: expected at least one image, found none",
                    args.file.display()
                )));
            }
            if data.left_out > 0 {
                output::note(format_args!("the page shows the first {PAGE} images and leaves out {}", data.left_out));
            }
            page::trace(&format!("A run of {}", trace.description().model), &data)
        }
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

/// Reads the decisions and steps of the first `most` images.
fn read(trace: &mut Trace, most: usize, with_pictures: bool) -> Result<TraceData, CliError> {
    let description = trace.description().clone();
    let mut data = TraceData::new(pairs(&description), &description.plan);
    for number in 0..description.batches {
        let batch = trace.batch(number)?;
        let room = most - data.images.len();
        data.left_out += batch.images.len().saturating_sub(room);
        if room > 0 {
            let steps = steps(trace, &batch, &description.plan)?;
            let pictures = if with_pictures { trace.pictures(&batch)? } else { None };
            images(trace, &batch, &steps, pictures, &mut data, room)?;
            let step = |step: &StepRecord| TraceStep { guidance: step.guidance, seconds: step.seconds };
            data.batches.push(TraceBatch { steps: steps.iter().map(step).collect() });
        }
    }
    Ok(data)
}

fn steps(trace: &mut Trace, batch: &Batch, plan: &Plan) -> Result<Vec<StepRecord>, CliError> {
    (0..plan.steps().len()).map(|index| Ok(trace.step(batch, index)?)).collect()
}

/// Adds the first `room` images of a batch.
fn images(
    trace: &mut Trace,
    batch: &Batch,
    steps: &[StepRecord],
    pictures: Option<Vec<Picture>>,
    data: &mut TraceData,
    room: usize,
) -> Result<(), CliError> {
    let mut scores: Vec<Option<Vec<f64>>> = vec![Some(Vec::new()); batch.images.len()];
    for index in 0..steps.len() {
        match trace.scores(batch, index)? {
            Some(new) => scores.iter_mut().zip(new).for_each(|(all, new)| {
                if let Some(all) = all {
                    all.extend(new);
                }
            }),
            None => scores.fill(None),
        }
    }
    let pictures: Vec<Option<Picture>> = match pictures {
        Some(pictures) => pictures.into_iter().map(Some).collect(),
        None => vec![None; batch.images.len()],
    };
    let own = batch.images.iter().zip(&batch.orders).zip(scores).zip(pictures).enumerate().take(room);
    for (slot, (((image, order), scores), picture)) in own {
        let mut picked: Vec<_> = steps.iter().flat_map(|step| step.picked[slot].iter().copied()).collect();
        picked.sort_unstable();
        data.images.push(TraceImage {
            image: image.to_string(),
            class: batch.classes.as_ref().and_then(|classes| classes.get(slot).copied()),
            batch: data.batches.len(),
            order: order.clone(),
            scores,
            picked,
            picture: picture.map(|picture| Bitmap::of(&picture, 1).png(&[])).transpose()?,
        });
    }
    Ok(())
}

/// Returns the settings of a run, as names and values.
fn pairs(description: &Description) -> Vec<(&'static str, String)> {
    let guidance = description.guidance;
    let mut pairs = vec![
        ("program", description.program.clone()),
        ("model", description.model.clone()),
        ("weights", description.weights.clone()),
        ("precision", description.precision.to_string()),
        ("device", description.device.clone().unwrap_or_default()),
        ("seed", description.seed.to_string()),
        ("guidance", format!("{}, {}", guidance.scale(), guidance.schedule())),
        ("temperature", description.temperature.to_string()),
    ];
    pairs.retain(|(_, text)| !text.is_empty());
    let schedule = description.plan.schedule();
    pairs.extend(schedule.axes().map(|(axis, config)| (axis.as_str(), config_text(config))));
    pairs
}

/// Describes a run: its settings, and its AR steps, summed over all batches.
fn describe(file: &Path, trace: &mut Trace) -> Result<String, CliError> {
    let description = trace.description().clone();
    let plan = &description.plan;
    let (mut images, mut seconds) = (0, vec![Some(0.0); plan.steps().len()]);
    let mut guidance = vec![None; plan.steps().len()];
    for number in 0..description.batches {
        let batch = trace.batch(number)?;
        images += batch.images.len();
        for (index, step) in steps(trace, &batch, plan)?.into_iter().enumerate() {
            seconds[index] = seconds[index].zip(step.seconds).map(|(sum, seconds)| sum + seconds);
            guidance[index].get_or_insert(step.guidance);
        }
    }
    let mut text = format!(
        "{}: {} in {}, {}\n\n",
        file.display(),
        count(images, "image"),
        match description.batches {
            1 => "1 batch".to_owned(),
            batches => format!("{batches} batches"),
        },
        plan.grid()
    );
    for (name, says) in pairs(&description) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<11}  {says}");
    }
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let total: Option<f64> = seconds.iter().copied().sum();
    let took = match total {
        Some(total) if images > 0 => format!("\nTotal: {total:.3} s in {}\n", count(plan.steps().len(), "AR step")),
        _ => "\nThe durations of the AR steps were not recorded.\n".to_owned(),
    };
    Ok(format!("{text}\n{}{took}", table(plan, &guidance, &seconds, total)))
}

/// Formats a table with one row per AR step.
fn table(plan: &Plan, guidance: &[Option<f64>], seconds: &[Option<f64>], total: Option<f64>) -> String {
    use Align::{Left, Right};
    let mut rows = TableRows::new([
        ("AR\nstep", Right),
        ("\nstage", Left),
        ("\ntokens", Right),
        ("diffusion\nsteps", Right),
        ("detail in\nan image", Left),
        ("\nguidance", Right),
        ("\nseconds", Right),
        ("\nshare", Right),
    ]);
    for (index, step) in plan.steps().iter().enumerate() {
        let share = seconds[index].zip(total).filter(|(_, total)| *total > 0.0);
        rows.add([
            (index + 1).to_string(),
            format!("{} {}", step.stage() + 1, plan.role(step)),
            step.tokens().to_string(),
            step.diffusion_steps().to_string(),
            step.detail().map_or_else(|| "-".to_owned(), |it| format!("{} at {}", it.tokens, it.diffusion_steps)),
            guidance[index].map_or_else(|| "-".to_owned(), |guidance| format!("{guidance:.3}")),
            seconds[index].filter(|_| share.is_some()).map_or_else(|| "-".to_owned(), |it| format!("{it:.3}")),
            share.map_or_else(|| "-".to_owned(), |(own, total)| format!("{:.0} %", 100.0 * own / total)),
        ]);
    }
    rows.text()
}
