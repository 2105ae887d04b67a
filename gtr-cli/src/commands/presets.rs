//! `presets`: the named schedules.

use std::fmt::Write as _;

use gtr_core::preset::{self, Preset, Status};

use crate::args::{ListFormat, PresetsArgs};
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use crate::table::wrap;

/// Carries out the command.
pub(super) fn run(args: &PresetsArgs) -> Result<ExitStatus, CliError> {
    let one = args.name.as_deref().map(preset::find).transpose()?;
    let wanted = one.map_or(preset::all(), std::slice::from_ref);
    output::print(&match args.format {
        ListFormat::Json => to_json(&wanted),
        ListFormat::Text => {
            let mut text: String = wanted.iter().map(in_words).collect();
            if let Some(preset) = one {
                // A String takes whatever is written.
                let _ = write!(text, "\n{}", to_json(&preset.schedule));
            }
            text
        }
    })?;
    Ok(ExitStatus::Success)
}

fn in_words(preset: &Preset) -> String {
    let status = match preset.status {
        Status::Published => "published",
        Status::Ours => "ours",
    };
    let Preset { name, summary, source, home_grid, .. } = preset;
    let source = wrap(&format!("Source: {source}"), 4, 2);
    format!("{name} ({home_grid}, {status})\n{}{source}", wrap(summary, 4, 0))
}
