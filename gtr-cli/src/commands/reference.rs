//! The reference page of the schedulers, in Markdown.

use std::fmt::Write as _;

use gtr_core::AxisName;
use serde_json::Value;

use crate::catalogue::{Form, Kind};

const HEAD: &str = "\
# Schedulers

A schedule is one choice on each of four axes. This page is generated from the documentation of the implementations:
`gtr-cli schedulers --format markdown --out docs/schedulers.md`.
";

/// Returns the page.
pub(super) fn page(kinds: &[&Kind]) -> String {
    let mut page = HEAD.to_owned();
    for axis in AxisName::ALL {
        let of_axis: Vec<_> = kinds.iter().filter(|kind| kind.description.axis == axis).collect();
        if of_axis.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n", title(axis));
        for kind in of_axis {
            section(&mut page, kind);
        }
    }
    page
}

fn title(axis: AxisName) -> &'static str {
    match axis {
        AxisName::Order => "Order: order and stages in which tokens are generated",
        AxisName::Pace => "Pace: number of tokens per AR step",
        AxisName::Diffusion => "Diffusion: number of diffusion steps per AR step",
        AxisName::Detail => "Detail: tokens that get extra diffusion steps",
    }
}

fn section(page: &mut String, kind: &Kind) {
    let it = &kind.description;
    let _ = write!(page, "\n### `{}`\n\n{}\n", it.kind, it.description);
    if !it.parameters.is_empty() {
        page.push_str("\n| parameter | meaning | default |\n|---|---|---|\n");
    }
    for (parameter, form) in it.parameters.iter().zip(&kind.forms) {
        let default = match &parameter.default {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let _ = writeln!(page, "| `{}` | {} | {default} |", parameter.name, cell(&parameter.description));
        let Form::Choice(choices) = form else { continue };
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
