//! `schedulers`: lists the implementations of each axis, and their parameters.

use std::fmt::Write as _;

use gtr_core::{AxisName, Description, reference};

use crate::args::{ReferenceFormat, SchedulersArgs};
use crate::catalogue::{Catalogue, Kind};
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_draw::table::wrap;

/// Runs the command.
pub(super) fn run(args: &SchedulersArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let is_wanted = |it: &&Kind| args.kind.as_deref().is_none_or(|kind| it.description.kind == kind);
    let wanted: Vec<&Kind> = catalogue.kinds.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let kind = args.kind.as_deref().unwrap_or_default();
        return Err(CliError::usage(format_args!(
            "unknown implementation `{kind}`: `gtr-cli schedulers` lists all implementations"
        )));
    }
    let descriptions: Vec<Description> = wanted.iter().map(|kind| kind.description.clone()).collect();
    let text = match args.format()? {
        ReferenceFormat::Json => to_json(&descriptions),
        ReferenceFormat::Text => text(&descriptions),
        ReferenceFormat::Markdown => reference::page(&descriptions),
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

fn text(wanted: &[Description]) -> String {
    let mut text = String::new();
    for axis in AxisName::ALL {
        let of_axis: Vec<_> = wanted.iter().filter(|it| it.axis == axis).collect();
        if of_axis.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{axis}");
        for it in of_axis {
            let _ = writeln!(text, "\n  {}", it.kind);
            for paragraph in it.description.split("\n\n") {
                text.push_str(&wrap(&paragraph.replace('\n', " "), 4, 0));
            }
            for parameter in &it.parameters {
                let default = match &parameter.default {
                    None | Some(serde_json::Value::Null) => String::new(),
                    Some(value) => format!(" [default: {}]", plain(value)),
                };
                text.push_str(&wrap(&format!("{}: {}{default}", parameter.name, parameter.description), 6, 2));
            }
            text.push_str(&wrap(&format!("Source: {}", it.source), 4, 2));
        }
    }
    text
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
