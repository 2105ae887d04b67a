//! Drawings of a grid in text: a cell a token.
//!
//! Stages have colours as ANSI sequences; who writes to something else than a terminal strips them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use gtr_core::{ImageIndex, Plan, Seed, TokenIndex};

/// A drawing of more rows or columns than this says nothing.
const SIDE: u32 = 64;

/// Columns of a page; a terminal has its own.
const PAGE: usize = 80;

/// The room for a drawing.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    columns: Option<usize>,
}

impl Room {
    /// A file, which is as wide as it must be.
    pub const FILE: Self = Self { columns: None };

    /// A terminal of so many columns; without a number as wide as it must be.
    pub fn of(columns: Option<usize>) -> Self {
        Self { columns }
    }

    fn holds(self, columns: usize) -> bool {
        self.columns.is_none_or(|room| columns <= room)
    }
}

/// The stage of each token, a symbol a stage.
pub fn stages(plan: &Plan, room: Room) -> String {
    let columns = plan.grid().width() as usize;
    let cell = if columns * 2 <= room.columns.unwrap_or(PAGE) { 2 } else { 1 };
    let stages = stage_of_tokens(plan);
    let title = "Stage of each token:";
    draw(plan, room, title, cell, &stages, |token| symbol(stages[token.get()]).to_string())
}

/// The AR step, from 1, that generates each token of an image.
pub fn steps(plan: &Plan, seed: Seed, image: ImageIndex, room: Room) -> String {
    let mut step_of_token = vec![0; plan.grid().tokens()];
    let order = plan.order(seed, image);
    let mut known = 0;
    for (number, step) in (1usize..).zip(plan.steps()) {
        for token in &order[known..known + step.tokens()] {
            step_of_token[token.get()] = number;
        }
        known += step.tokens();
    }
    let cell = plan.steps().len().to_string().len() + 1;
    let title = format!("AR step of each token of image {image} under seed {seed}:");
    draw(plan, room, &title, cell, &stage_of_tokens(plan), |token| step_of_token[token.get()].to_string())
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
        return format!("{title} not drawn, {grid} is more than {SIDE} rows or columns\n");
    }
    if !room.holds(grid.width() as usize * cell) {
        return format!("{title} not drawn, the terminal is too narrow for {grid}\n");
    }
    let mut text = format!("{title}\n");
    for row in 0..grid.height() {
        let mut line = String::new();
        for token in (0..grid.width()).filter_map(|column| grid.at(row, column)) {
            let style = style(stages[token.get()]);
            // A String takes whatever is written.
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
            stages[token.get()] = position;
        }
    }
    stages
}

/// The symbol of a stage: its number from 1, then letters.
fn symbol(stage: usize) -> char {
    ('1'..='9').chain('a'..='z').chain('A'..='Z').nth(stage).unwrap_or('*')
}

/// The colours of a stage.
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
    fn a_drawing_that_does_not_fit_is_left_out() {
        let narrow = Room { columns: Some(10) };
        assert!(stages(&plan("16x16"), narrow).contains("too narrow"));
        assert!(stages(&plan("4x10"), narrow).lines().count() == 5);
        assert!(stages(&plan("65x2"), Room::FILE).contains("more than 64"));
    }

    #[test]
    fn symbols_go_on_after_nine() {
        assert_eq!([0, 8, 9, 35, 60, 61].map(symbol), ['1', '9', 'a', 'A', 'Z', '*']);
    }
}
