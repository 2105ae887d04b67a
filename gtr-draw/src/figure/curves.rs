//! Curves over the AR steps: tokens, diffusion steps, guidance and loss.

use gtr_core::float;

use super::view::PlanView;
use crate::area::Area;
use crate::chart::{Axis, Band, Chart, Marks, Point, Series};
use crate::palette::{self, INK};
use crate::step_axes::{complete_steps, strengths};
use crate::svg::Svg;

/// Largest number of AR steps that are all drawn. Of more, evenly spaced steps are drawn.
const MOST_STEPS: usize = 400;

/// Largest number of AR steps that are drawn as bars.
const MOST_BARS: usize = 100;

/// Width of the margin left of all curves.
const GUTTER: f64 = 34.0;

/// Height of the tick labels and the axis label below the last curve.
pub(super) const FOOT: f64 = 35.0;

/// Upper ends of the axes, shared by plans that are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    steps: usize,
    tokens: usize,
    diffusion: u32,
    loss: f64,
}

impl Ends {
    /// Returns the ends that cover all plans.
    pub(super) fn of(plans: &[PlanView<'_>]) -> Self {
        let steps = || plans.iter().flat_map(|shown| shown.plan.steps());
        let diffusion =
            steps().flat_map(|step| [Some(step.diffusion_steps()), step.detail().map(|detail| detail.diffusion_steps)]);
        Self {
            steps: plans.iter().map(|shown| shown.plan.steps().len()).max().unwrap_or(1),
            tokens: steps().map(gtr_core::Step::tokens).max().unwrap_or(1),
            diffusion: diffusion.flatten().map(gtr_core::DiffusionSteps::get).max().unwrap_or(1),
            loss: plans.iter().filter_map(PlanView::loss).flat_map(|loss| &loss.steps).copied().fold(0.0, f64::max),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 2^24 steps")]
    fn x(self) -> Axis {
        Axis::new("").whole().range(0.5, self.steps as f64 + 0.5)
    }
}

/// Draws the curves one below the other.
pub(super) fn draw(svg: &mut Svg, shown: &PlanView<'_>, ends: Ends, area: Area, letters: [&str; 4]) {
    let chosen = chosen(shown.plan.steps().len());
    let gap = 8.0;
    let mut charts =
        vec![tokens(shown, ends, &chosen), diffusion(shown, ends, &chosen), guidance(shown, ends, &chosen)];
    charts.extend(loss(shown, ends, &chosen));
    let count = charts.len();
    let height = (area.height - FOOT - float(count - 1) * gap) / float(count);
    let mut top = area.top;
    for (at, (mut chart, letter)) in (1..).zip(charts.into_iter().zip(letters)) {
        let last = at == count;
        let every = every(shown.plan.steps().len());
        let some = if every == 1 { String::new() } else { format!(", one of {every} drawn") };
        chart.title = super::lettered(letter, &format!("{}{some}", chart.title));
        chart.x = if last { ends.x().named("AR step") } else { ends.x().bare() };
        chart.gutter = Some(GUTTER);
        let height = height + if last { FOOT } else { 0.0 };
        chart.draw(svg, Area::new(area.left, top, area.width, height));
        top += height + gap;
    }
}

/// Returns the stride between drawn AR steps.
fn every(steps: usize) -> usize {
    steps.div_ceil(MOST_STEPS).max(1)
}

/// Returns the AR steps to draw: all, or evenly spaced steps and the last.
fn chosen(steps: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..steps).step_by(every(steps)).collect();
    if chosen.last().is_some_and(|last| last + 1 != steps) {
        chosen.push(steps - 1);
    }
    chosen
}

fn tokens(shown: &PlanView<'_>, ends: Ends, chosen: &[usize]) -> Chart {
    let steps = shown.plan.steps();
    let is_narrow = steps.len() > MOST_BARS;
    let series = if is_narrow {
        Series::new("", Marks::Steps, INK).with(held(chosen, steps.len(), |step| float(steps[step].tokens())))
    } else {
        let bar =
            |&step: &usize| Point::at(float(step + 1), float(steps[step].tokens())).colour(shown.step_colour(step));
        Series::new("", Marks::Bars, INK).with(chosen.iter().map(bar))
    };
    let mut title = "Tokens of an AR step".to_owned();
    let mut all = vec![series];
    if let Some(complete) = complete_steps(shown.plan) {
        "Tokens of an AR step; dots: complete steps".clone_into(&mut title);
        let drawn = chosen.iter().filter(|step| complete[**step]);
        let dots = drawn.map(|&step| (float(step + 1), float(steps[step].tokens())));
        all.push(Series::new("", Marks::Points, INK).with(dots));
    }
    Chart {
        title,
        y: Axis::new("").whole().range(0.0, float(ends.tokens) * 1.08),
        series: all,
        bands: if is_narrow { bands(shown) } else { Vec::new() },
        ..Chart::default()
    }
}

fn diffusion(shown: &PlanView<'_>, ends: Ends, chosen: &[usize]) -> Chart {
    let steps = shown.plan.steps();
    let mut series = vec![
        Series::new("", Marks::Steps, INK)
            .with(held(chosen, steps.len(), |step| steps[step].diffusion_steps().get().into())),
    ];
    let mut title = "Diffusion steps of a token".to_owned();
    // The steps with detail are consecutive in a stage.
    for (stage, &(first, count)) in shown.spans().iter().enumerate() {
        let with = (first..first + count).filter_map(|step| steps[step].detail().map(|detail| (step, detail)));
        let ends: Vec<_> = with.collect();
        let (Some((from, detail)), Some((to, _))) = (ends.first(), ends.last()) else { continue };
        let height = f64::from(detail.diffusion_steps.get());
        let line = [(float(from + 1) - 0.5, height), (float(to + 1) + 0.5, height)];
        series.push(Series::new("", Marks::Line, PlanView::stage_colour(stage).mixed(INK, 0.35)).dashed().with(line));
        "Diffusion steps of a token; dashed: of those in detail".clone_into(&mut title);
    }
    Chart {
        title,
        y: Axis::new("").whole().range(0.0, f64::from(ends.diffusion) * 1.08),
        series,
        bands: bands(shown),
        ..Chart::default()
    }
}

fn guidance(shown: &PlanView<'_>, _: Ends, chosen: &[usize]) -> Chart {
    let strengths = strengths(shown.plan);
    let curve = Series::new("", Marks::Steps, INK).with(held(chosen, strengths.len(), |step| strengths[step]));
    Chart {
        title: "Guidance, share of cfg \u{2212} 1".to_owned(),
        y: Axis::new("").range(0.0, 1.0),
        series: vec![curve],
        bands: bands(shown),
        ..Chart::default()
    }
}

/// Returns the curve of the loss per AR step, if it is computed.
fn loss(shown: &PlanView<'_>, ends: Ends, chosen: &[usize]) -> Option<Chart> {
    let loss = shown.loss()?;
    let steps = loss.steps.len();
    let is_narrow = steps > MOST_BARS;
    let series = if is_narrow {
        Series::new("", Marks::Steps, INK).with(held(chosen, steps, |step| loss.steps[step]))
    } else {
        let bar = |&step: &usize| Point::at(float(step + 1), loss.steps[step]).colour(shown.step_colour(step));
        Series::new("", Marks::Bars, INK).with(chosen.iter().map(bar))
    };
    Some(Chart {
        title: format!("Loss of an AR step, of {} nats", crate::loss::nats(loss.total)),
        y: Axis::new("").range(0.0, if ends.loss > 0.0 { ends.loss * 1.08 } else { 1.0 }),
        series: vec![series],
        bands: if is_narrow { bands(shown) } else { Vec::new() },
        ..Chart::default()
    })
}

/// Returns a step function with the value of each step over its width.
fn held(chosen: &[usize], steps: usize, value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    let begins = chosen.iter().map(|&step| (float(step + 1) - 0.5, value(step)));
    let end = chosen.last().map(|&step| (float(steps) + 0.5, value(step)));
    begins.chain(end).collect()
}

/// Returns the stages as bands behind the curves.
fn bands(shown: &PlanView<'_>) -> Vec<Band> {
    let spans = shown.spans().iter().enumerate().filter(|_| shown.is_staged());
    let band = |(stage, &(first, steps)): (usize, &(usize, usize))| Band {
        from: float(first) + 0.5,
        to: float(first + steps) + 0.5,
        colour: palette::category(stage).pale(0.8),
    };
    spans.map(band).collect()
}
