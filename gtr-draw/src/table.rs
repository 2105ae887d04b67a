//! Plain-text tables, and text in their cells.

use std::fmt::{Display, Write as _};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use gtr_core::StageSummary;

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Left, for text.
    Left,
    /// Right, for numbers.
    Right,
}

/// A table under construction.
#[derive(Debug)]
pub struct TableRows {
    table: Table,
    align: Vec<Align>,
}

impl TableRows {
    /// Creates a table with these columns.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (names, align): (Vec<&str>, Vec<Align>) = columns.into_iter().unzip();
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let mut rows = Self { table, align };
        let header = rows.cells(names.into_iter().map(str::to_owned));
        rows.table.set_header(header);
        rows
    }

    /// Adds a row.
    pub fn add(&mut self, row: impl IntoIterator<Item = String>) {
        let row = self.cells(row);
        self.table.add_row(row);
    }

    fn cells(&self, row: impl IntoIterator<Item = String>) -> Vec<Cell> {
        let alignment = |align| match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        };
        row.into_iter().zip(&self.align).map(|(text, &align)| Cell::new(text).set_alignment(alignment(align))).collect()
    }

    /// Returns the table as text, without trailing spaces.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Returns the cells of the stage at a position, counted from 0: role, tokens, closest pair, largest gap, mean gap, AR steps and
/// diffusion steps.
pub fn stage(position: usize, stage: &StageSummary) -> [String; 7] {
    let StageSummary { role, tokens, spread, ar_steps, .. } = stage;
    [
        format!("{} {role}", position + 1),
        tokens.to_string(),
        length(spread.closest_pair),
        length(spread.covering_radius),
        length(spread.mean_gap),
        ar_steps.to_string(),
        range(stage.first_diffusion_steps, stage.last_diffusion_steps),
    ]
}

/// Formats a length in cells of the grid, or `-` if there is none.
pub fn length(length: Option<f64>) -> String {
    length.map_or_else(|| "-".to_owned(), |length| format!("{length:.3}"))
}

/// Formats a range, or a single value if both ends are equal.
pub fn range<T: PartialEq + Display + Copy>(first: T, last: T) -> String {
    if first == last { first.to_string() } else { format!("{first}..{last}") }
}

/// Wraps text at 80 columns, indented by `indent`, and all lines but the first by `hanging` more. Words are not split.
pub fn wrap(text: &str, mut indent: usize, hanging: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    let rest = indent + hanging;
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > 80 {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{:indent$}{line}", "");
            line.clear();
            indent = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &format!("{:indent$}{line}\n", "")
}
