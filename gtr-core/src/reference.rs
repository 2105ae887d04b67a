//! The reference page of the implementations, in Markdown.

use std::fmt::Write as _;

use serde_json::Value;

use crate::form::Form;
use crate::{AxisName, Description};

const HEAD: &str = "\
# Schedulers

A schedule is one choice on each axis, one section below per axis. Order, pace, diffusion and detail are required; a schedule that does not
set one of the other axes has its default kind. This page is generated from the documentation of the implementations:
`gtr-cli schedulers --format markdown --out docs/schedulers.md`.
";

/// Returns the page of some implementations.
///
/// # Examples
/// ```
/// let page = gtr_core::reference::page(&gtr_core::Registry::builtin().describe());
/// assert!(page.contains("### `bisection`"));
/// ```
pub fn page(all: &[Description]) -> String {
    let mut page = HEAD.to_owned();
    for axis in AxisName::ALL {
        let of_axis: Vec<_> = all.iter().filter(|it| it.axis == axis).collect();
        if of_axis.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n", axis.title());
        for it in of_axis {
            section(&mut page, it);
        }
    }
    page
}

fn section(page: &mut String, it: &Description) {
    let _ = write!(page, "\n### `{}`\n\n{}\n", it.kind, it.description);
    if !it.parameters.is_empty() {
        page.push_str("\n| parameter | meaning | default |\n|---|---|---|\n");
    }
    for parameter in &it.parameters {
        let default = match &parameter.default {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let _ = writeln!(page, "| `{}` | {} | {default} |", parameter.name, cell(&parameter.description));
        let Form::Choice(choices) = &parameter.form else { continue };
        for (name, meaning) in choices.iter().filter(|(_, meaning)| !meaning.is_empty()) {
            let _ = writeln!(page, "| | `{name}`: {} | |", cell(meaning));
        }
    }
    let _ = write!(page, "\nSource: {}.\n", it.source);
}

/// Escapes text for a table cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
