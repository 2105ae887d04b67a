//! Draws a grid as text, with one cell per token.
//!
//! Stages are coloured with ANSI escape sequences. The caller removes them if the output is not a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use gtr_core::{ImageIndex, Plan, Seed, TokenIndex};

use crate::Error;

/// Largest number of rows and of columns of a drawing. Larger drawings are not legible.
const SIDE: u32 = 64;

/// Default number of text columns, if the output is not a terminal.
const PAGE: usize = 80;

/// Width limit of a drawing.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    columns: Option<usize>,
}

impl Room {
    /// No limit, for a file.
    pub const FILE: Self = Self { columns: None };

    /// The limit of a terminal with `columns` columns; `None` for no limit.
    pub fn of(columns: Option<usize>) -> Self {
        Self { columns }
    }

    fn holds(self, columns: usize) -> bool {
        self.columns.is_none_or(|room| columns <= room)
    }
}

/// Draws the stage of each token, with one symbol per stage.
pub fn stages(plan: &Plan, room: Room) -> String {
    let columns = plan.grid().width() as usize;
    let cell = if columns * 2 <= room.columns.unwrap_or(PAGE) { 2 } else { 1 };
    let stages = stage_of_tokens(plan);
    let title = "Stage of each token:";
    draw(plan, room, title, cell, &stages, |token| symbol(stages[token.index()]).to_string())
}

/// Draws the AR step that generates each token of an image, counted from 1.
///
/// # Errors
/// [`Error::Plan`] if the order is decided while sampling.
pub fn steps(plan: &Plan, seed: Seed, image: ImageIndex, room: Room) -> Result<String, Error> {
    let mut step_of_token = vec![0; plan.grid().tokens()];
    let order = plan.order(seed, image)?;
    let mut known = 0;
    for (number, step) in (1usize..).zip(plan.steps()) {
        for token in &order[known..known + step.tokens()] {
            step_of_token[token.index()] = number;
        }
        known += step.tokens();
    }
    let cell = plan.steps().len().to_string().len() + 1;
    let title = format!("AR step of each token of image {image} under seed {seed}:");
    Ok(draw(plan, room, &title, cell, &stage_of_tokens(plan), |token| step_of_token[token.index()].to_string()))
}

fn draw(
    plan: &Plan,
    room: Room,
    title: &str,
    cell: usize,
    stages: &[usize],
    label: impl Fn(TokenIndex) -> String,
) -> String {
    let grid = plan.grid();
    if grid.width() > SIDE || grid.height() > SIDE {
        return format!("{title} not drawn, {grid} has more than {SIDE} rows or columns\n");
    }
    if !room.holds(grid.width() as usize * cell) {
        return format!("{title} not drawn, the terminal is too narrow for {grid}\n");
    }
    let mut text = format!("{title}\n");
    for row in 0..grid.height() {
        let mut line = String::new();
        for token in (0..grid.width()).filter_map(|column| grid.at(row, column)) {
            let style = style(stages[token.index()]);
            // Writing to a String cannot fail.
            let _ = write!(line, "{style}{:>cell$}{style:#}", label(token));
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn stage_of_tokens(plan: &Plan) -> Vec<usize> {
    let mut stages = vec![0; plan.grid().tokens()];
    for (position, stage) in plan.stages().iter().enumerate() {
        for token in stage.tokens() {
            stages[token.index()] = position;
        }
    }
    stages
}

/// Returns the symbol of a stage: its number from 1 to 9, then letters, then `*`.
fn symbol(stage: usize) -> char {
    ('1'..='9').chain('a'..='z').chain('A'..='Z').nth(stage).unwrap_or('*')
}

/// Returns the colours of a stage.
fn style(stage: usize) -> Style {
    const COLOURS: [(AnsiColor, AnsiColor); 7] = [
        (AnsiColor::BrightWhite, AnsiColor::Blue),
        (AnsiColor::Black, AnsiColor::Green),
        (AnsiColor::Black, AnsiColor::Yellow),
        (AnsiColor::BrightWhite, AnsiColor::Magenta),
        (AnsiColor::Black, AnsiColor::Cyan),
        (AnsiColor::BrightWhite, AnsiColor::Red),
        (AnsiColor::Black, AnsiColor::White),
    ];
    let (front, back) = COLOURS[stage % COLOURS.len()];
    Style::new().fg_color(Some(front.into())).bg_color(Some(back.into()))
}

#[cfg(test)]
mod tests {
    use gtr_core::{Grid, Registry, preset};

    use super::*;

    fn plan(grid: &str) -> Plan {
        let grid: Grid = grid.parse().unwrap();
        preset::find("gtr-paper").unwrap().schedule.plan(grid, &Registry::builtin()).unwrap().plan
    }

    #[test]
    fn drawings_that_do_not_fit_are_omitted() {
        let narrow = Room { columns: Some(10) };
        assert!(stages(&plan("16x16"), narrow).contains("too narrow"));
        assert!(stages(&plan("4x10"), narrow).lines().count() == 5);
        assert!(stages(&plan("65x2"), Room::FILE).contains("more than 64"));
    }

    #[test]
    fn steps_of_a_ranked_plan_are_not_known() {
        let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
        schedule.order = gtr_core::AxisConfig::new("ranked");
        let plan = schedule.plan("4x4".parse().unwrap(), &Registry::builtin()).unwrap().plan;
        let error = steps(&plan, Seed(0), ImageIndex(0), Room::FILE).unwrap_err().to_string();
        assert!(error.starts_with("the order of a ranked stage is decided while sampling"), "{error}");
        assert_eq!(stages(&plan, Room::FILE).lines().count(), 5);
    }

    #[test]
    fn symbols_after_nine_are_letters() {
        assert_eq!([0, 8, 9, 35, 60, 61].map(symbol), ['1', '9', 'a', 'A', 'Z', '*']);
    }
}
