//! Figures of plans: the grid with its AR steps, curves over the AR steps, the known tokens after AR steps, the loss per token,
//! and the spread of the stages.

mod cells;
mod curves;
mod growth;
mod heat;
mod stages;
mod view;

use gtr_core::count;

use self::curves::Ends;
use self::growth::Growth;
pub use self::view::PlanView;
use crate::Error;
use crate::area::Area;
use crate::config_text::config_text;
use crate::palette::SOFT;
use crate::svg::{Svg, Type};

/// Margin of the figure, in pixels.
const MARGIN: f64 = 26.0;

/// Horizontal space between panels.
const GUTTER: f64 = 40.0;

/// Height of the heading of a panel.
const HEAD: f64 = 21.0;

/// Vertical space between panels.
const GAP: f64 = 22.0;

/// Smallest width of the panel of the grid, for its heading.
const NARROWEST: f64 = 330.0;

/// Largest number of plans side by side.
const MOST_SIDES: usize = 4;

/// Draws a panel of a plan at its upper left corner, and returns its height.
type Panel<'a> = dyn Fn(&mut Svg, &PlanView<'_>, (f64, f64)) -> f64 + 'a;

/// Returns the figure of a plan as SVG.
pub fn plan(shown: &PlanView<'_>) -> String {
    let side = cells::side(shown);
    let (wide, high) = cells::size(shown, side);
    let left = wide.max(NARROWEST);
    let curves = (860.0 - left - GUTTER).clamp(380.0, 480.0);
    let width = left + GUTTER + curves;
    let high_curves = high.clamp(if shown.loss().is_some() { 400.0 } else { 300.0 }, 620.0);
    let mut svg = Svg::new(&format!("{} on {}", shown.name, shown.plan.grid()));
    let mut top = MARGIN + head(&mut svg, shown, (MARGIN, MARGIN), width) + 16.0;

    let beside = grid(&mut svg, shown, (MARGIN, top), side, left, "a");
    let area = Area::new(MARGIN + width - curves, top, curves, HEAD + high_curves + curves::FOOT);
    curves::draw(&mut svg, shown, Ends::of(std::slice::from_ref(shown)), area, ["b", "c", "d", "e"]);
    top += beside.max(area.height) + GAP;

    let [known, spread, lost] = if shown.loss().is_some() { ["f", "g", "h"] } else { ["e", "f", ""] };
    top += growth(&mut svg, shown, Area::new(MARGIN, top, width, 0.0), usize::MAX, known) + GAP;
    heading(&mut svg, (MARGIN, top), spread, "Spread of the stages, in cells");
    stages::table(&mut svg, shown, (MARGIN, top + HEAD - 6.0), width);
    top += HEAD - 6.0 + stages::height(shown.plan);
    if shown.loss().is_some() {
        top += GAP;
        top += heat(&mut svg, shown, (MARGIN, top), heat::most(std::slice::from_ref(shown)), width, lost);
    }
    svg.finish(width + 2.0 * MARGIN, top + MARGIN - 8.0)
}

/// Returns a figure of plans side by side, as SVG.
///
/// # Errors
/// [`Error::TooManyPlans`] for more than four plans.
pub fn compare(plans: &[PlanView<'_>]) -> Result<String, Error> {
    if plans.len() > MOST_SIDES {
        return Err(Error::TooManyPlans { found: plans.len(), most: MOST_SIDES });
    }
    let side = plans.iter().map(|shown| cells::side_within(shown, 400.0)).fold(f64::INFINITY, f64::min);
    let wide = plans.iter().map(|shown| cells::size(shown, side).0).fold(0.0, f64::max);
    let width = wide.max(390.0);
    let ends = Ends::of(plans);
    let names: Vec<&str> = plans.iter().map(|shown| shown.name).collect();
    let mut svg = Svg::new(&names.join(" and "));
    let lefts = || (0u8..).map(|column| MARGIN + f64::from(column) * (width + GUTTER));
    // Each row of panels starts below the highest panel of the previous row.
    let mut top = MARGIN;
    let mut row = |svg: &mut Svg, draw: &Panel<'_>, gap: f64| {
        let heights = plans.iter().zip(lefts()).map(|(shown, left)| draw(svg, shown, (left, top)));
        top += heights.fold(0.0, f64::max) + gap;
    };
    row(&mut svg, &|svg, shown, at| head(svg, shown, at, width), 16.0);
    row(&mut svg, &|svg, shown, at| grid(svg, shown, at, side, width, ""), GAP);
    row(
        &mut svg,
        &|svg, shown, (left, top)| {
            let charts = if shown.loss().is_some() { 4.0 } else { 3.0 };
            let area = Area::new(left, top, width, charts * 106.0 + curves::FOOT);
            curves::draw(svg, shown, ends, area, [""; 4]);
            area.height
        },
        GAP,
    );
    row(&mut svg, &|svg, shown, (left, top)| growth(svg, shown, Area::new(left, top, width, 0.0), 20, ""), GAP);
    row(
        &mut svg,
        &|svg, shown, (left, top)| {
            heading(svg, (left, top), "", "Spread of the stages, in cells");
            stages::table(svg, shown, (left, top + HEAD - 6.0), width);
            HEAD - 6.0 + stages::height(shown.plan)
        },
        0.0,
    );
    if plans.iter().any(|shown| shown.loss().is_some()) {
        let most = heat::most(plans);
        row(&mut svg, &|_, _, _| 0.0, GAP);
        row(&mut svg, &|svg, shown, at| heat(svg, shown, at, most, width, ""), 0.0);
    }
    let columns = lefts().nth(plans.len()).unwrap_or(MARGIN);
    Ok(svg.finish(columns - GUTTER + MARGIN, top + MARGIN - 8.0))
}

/// Draws the name of the plan, its totals and its schedule. Returns the height.
fn head(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), width: f64) -> f64 {
    let title = Type::new(18.0).bold();
    svg.text((left, top + 15.0), &title.cut(&format!("{} on {}", shown.name, shown.plan.grid()), width), title);
    let set = Type::new(10.5).colour(SOFT);
    let summary = shown.plan.summary();
    let known = if summary.known == 0 { String::new() } else { format!(", {} known before", summary.known) };
    let mut lines = vec![format!(
        "{}{known}, {}, {}",
        count(summary.tokens, "token"),
        count(summary.ar_steps, "AR step"),
        count(summary.network_evaluations(), "network evaluation")
    )];
    let axes = shown.plan.schedule().axes().map(|(axis, config)| format!("{axis} {}", config_text(config)));
    lines.extend(set.joined(axes, "  \u{b7}  ", width));
    let mut y = top + 33.0;
    for line in &lines {
        svg.text((left, y), &set.cut(line, width), set);
        y += 14.0;
    }
    y - 14.0 + 4.0 - top
}

/// Draws the heading of a panel.
fn heading(svg: &mut Svg, (left, top): (f64, f64), letter: &str, text: &str) {
    svg.text((left, top + 9.6), &lettered(letter, text), Type::new(12.0).bold());
}

/// Returns a text with the letter of its panel, if there is one.
fn lettered(letter: &str, text: &str) -> String {
    if letter.is_empty() { text.to_owned() } else { format!("({letter}) {text}") }
}

/// Draws the grid with its legend. Returns the height.
fn grid(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), side: f64, width: f64, letter: &str) -> f64 {
    let (wide, high) = cells::size(shown, side);
    let is_numbered = cells::draw(svg, shown, (left, top + HEAD), side);
    let mut title = format!("AR step of each token, image {} under seed {}", shown.image, shown.seed.0);
    if !is_numbered {
        title = format!("Stage of each token, image {} under seed {}", shown.image, shown.seed.0);
    }
    heading(svg, (left, top), letter, &Type::new(12.0).bold().cut(&title, width.max(wide)));
    let mut bottom = top + HEAD + high + 8.0;
    if shown.is_cut() {
        let (rows, columns) = shown.window();
        let set = Type::new(10.0).colour(SOFT);
        svg.text((left, bottom + 8.0), &format!("the upper left {rows}x{columns} of {}", shown.plan.grid()), set);
        bottom += 16.0;
    }
    bottom += stages::legend(svg, shown, (left, bottom), width.max(wide));
    bottom - top
}

/// Draws the loss per token. Returns the height.
fn heat(svg: &mut Svg, shown: &PlanView<'_>, (left, top): (f64, f64), most: f64, width: f64, letter: &str) -> f64 {
    if shown.loss().is_none() {
        return 0.0;
    }
    let title = format!("Loss of each token, on the field {}", shown.field());
    heading(svg, (left, top), letter, &Type::new(12.0).bold().cut(&title, width));
    HEAD + heat::draw(svg, shown, (left, top + HEAD), most)
}

/// Draws the known tokens after AR steps. Returns the height.
fn growth(svg: &mut Svg, shown: &PlanView<'_>, area: Area, most: usize, letter: &str) -> f64 {
    let maps = Growth::new(shown, area.width, most);
    heading(svg, (area.left, area.top), letter, &maps.title(shown));
    let height = maps.height(shown);
    maps.draw(svg, shown, Area::new(area.left, area.top + HEAD, area.width, height));
    HEAD + height
}
