//! Images: the recorded settings, and the command that generates the same image again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gtr_backends::{EMBEDDED, Families};
use gtr_core::{Plan, PlanDocument, TimestepLimit};
use gtr_draw::config_text::config_text;
use gtr_run::arguments::quoted;
use gtr_run::series::{self, Parameters};
use serde_json::{Value, json};

use super::plan_flags;
use crate::args::{InspectArgs, InspectFormat};
use crate::catalogue::Catalogue;
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::extension;
use crate::input::Seekable;
use crate::output::{self, Target};
use gtr_run::reading;

/// Runs the command for an image.
pub(super) fn run(
    args: &InspectArgs,
    format: InspectFormat,
    file: Box<dyn Seekable>,
    catalogue: &Catalogue,
) -> Result<ExitStatus, CliError> {
    let recorded = Recorded::read(&args.file, file, catalogue)?;
    if format == InspectFormat::Html {
        return Err(CliError::usage(
            "--format html is not available for images: use inspect --plan-out FILE, then plan --plan FILE --format html",
        ));
    }
    if let Some(path) = &args.plan_out {
        Target::new(path)?.write(recorded.plan_json().as_bytes())?;
    }
    let words = recorded.command(&args.file, args.plan_out.as_deref());
    let command = quoted(&words);
    let text = match format {
        InspectFormat::Json => to_json(&json!({
            "file": args.file.to_string_lossy(),
            "width": recorded.width,
            "height": recorded.height,
            "parameters": recorded.settings,
            "plan": recorded.plan.to_document(),
            "arguments": words,
            "command": command,
        })),
        _ => recorded.describe(args, command.as_deref()),
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

/// The recorded settings of an image.
struct Recorded {
    width: u32,
    height: u32,
    /// Settings as recorded.
    settings: Value,
    parameters: Parameters,
    plan: Plan,
    /// Flags that give the plan, if there are any.
    flags: Option<Vec<String>>,
}

impl Recorded {
    /// Reads the settings of an untrusted file. Its pixels are not decoded.
    fn read(path: &Path, file: Box<dyn Seekable>, catalogue: &Catalogue) -> Result<Self, CliError> {
        let shown = path.display();
        let wrong = |what: String| CliError::Failure(format!("{shown}: {what}"));
        let recorded = series::recorded(file).map_err(|error| reading::not_a("PNG", path, &error))?;
        let Some(series::Recorded { width, height, parameters: written, plan: text }) = recorded else {
            return Err(wrong("it has no settings: expected a PNG file written by `sample --out`".to_owned()));
        };
        let text = text.map_err(|reason| wrong(format!("cannot decompress its plan: {reason}")))?;
        let settings: Value = serde_json::from_str(&written)
            .map_err(|error| CliError::failure(format_args!("{shown}: its settings are not JSON"), &error))?;
        let parameters: Parameters = serde_json::from_str(&written)
            .map_err(|error| CliError::failure(format_args!("{shown}: its settings are not from `sample`"), &error))?;
        // A setting that this version does not know would be dropped silently.
        if serde_json::to_value(&parameters).ok().as_ref() != Some(&settings) {
            return Err(wrong(format!(
                "its settings are from gtr-cli {}, and this version does not know all of them",
                parameters.version
            )));
        }
        let document = PlanDocument::parse(&text).map_err(|violation| wrong(format!("its plan: {violation}")))?;
        let checked = Plan::from_document(&document, &catalogue.registry)
            .map_err(|error| CliError::failure(format_args!("{shown}: its plan"), &error))?;
        if let Some(unchecked) = checked.note() {
            output::note(format_args!("{shown}: its plan: {unchecked}"));
        }
        let plan = checked.plan;
        // Without a mask, only the plan says which tokens are known.
        let is_reproducible = plan.known().is_empty() || parameters.has_mask();
        let flags = if is_reproducible {
            plan_flags::flags(&plan, limit_of(&parameters.model, &catalogue.families), catalogue)
        } else {
            None
        };
        Ok(Self { width, height, settings, parameters, plan, flags })
    }

    fn plan_json(&self) -> String {
        self.plan.to_document().to_json()
    }

    /// Returns the arguments of the command that generates the image again, to another file next to it.
    fn command(&self, path: &Path, plan_out: Option<&Path>) -> Vec<String> {
        // --plan excludes --mask, but the settings in the file include the mask.
        let flags = self.flags.as_ref().filter(|_| plan_out.is_none() || self.parameters.has_mask());
        let mut again = self.parameters.again(flags.is_some());
        match (flags, plan_out) {
            (Some(flags), _) => again.extend(flags),
            (None, Some(file)) => again.add("--plan", file.display()),
            (None, None) => again.add("--plan", beside(path, "plan.json").display()),
        }
        again.add("--out", beside(path, "again.png").display());
        ["gtr-cli", "sample"].map(str::to_owned).into_iter().chain(again.into_words()).collect()
    }

    fn describe(&self, args: &InspectArgs, command: Option<&str>) -> String {
        let (file, schedule) = (args.file.display(), self.plan.schedule());
        let settings = self.settings.as_object().into_iter().flatten().filter(|(name, _)| *name != "version");
        let axes = schedule.axes().map(|(axis, config)| (axis.to_string(), config_text(config)));
        let lines: Vec<_> =
            settings.map(|(name, value)| (name.replace('_', " "), value.to_string())).chain(axes).collect();
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text =
            format!("{file}: {}x{} pixels, by gtr-cli {}\n\n", self.width, self.height, self.parameters.version);
        for (name, value) in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<width$}  {value}");
        }
        text.push_str("\nGenerate it again with\n");
        if self.flags.is_none() && args.plan_out.is_none() {
            let plan = beside(&args.file, "plan.json");
            let words = ["gtr-cli", "inspect", "--plan-out"].map(str::to_owned);
            let words: Vec<_> =
                words.into_iter().chain([plan, args.file.clone()].map(|path| path.display().to_string())).collect();
            if let Some(save) = quoted(&words) {
                let _ = writeln!(text, "  {save}");
            }
        }
        let _ = match command {
            Some(command) => writeln!(text, "  {command}"),
            None => writeln!(text, "  a command that does not fit a shell line: --format json lists its arguments"),
        };
        one_line_each(&text)
    }
}

/// Returns the timestep limit of a model known by name. Paths are not opened, because the file is untrusted.
fn limit_of(model: &str, families: &Families) -> Option<TimestepLimit> {
    let mut names = EMBEDDED.iter().map(|embedded| embedded.name).chain(families.published());
    let known = names.any(|name| name == model);
    known.then(|| families.spec(model).ok().map(|spec| spec.timestep_limit)).flatten()
}

/// Returns a path next to another one: `three-again.png` for `three.png`. An image from a pipe is called `picture`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    if extension::is_free(path) {
        return PathBuf::from(format!("picture-{ending}"));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{ending}"))
}

/// Replaces control characters except line ends by spaces, because the file is untrusted.
fn one_line_each(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_generated_next_to_the_original() {
        assert_eq!(beside(Path::new("a/three.png"), "again.png"), Path::new("a/three-again.png"));
        assert_eq!(beside(Path::new("three.png"), "plan.json"), Path::new("three-plan.json"));
    }
}
