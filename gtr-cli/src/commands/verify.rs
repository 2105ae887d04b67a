//! `verify`: checks plans against every rule of the plan format.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gtr_core::{
    Grid, MAX_PLAN_BYTES, Plan, PlanDocument, Registry, Rule, Verification, Violation, count, preset, verify,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{VerifyArgs, VerifyFormat};
use crate::catalogue::Catalogue;
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_run::reading;

/// A violated rule of a file.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Violation")]
pub(crate) struct RuleFinding {
    /// File as given on the command line; `-` is standard input. For presets: the preset and its grid.
    file: String,
    #[serde(flatten)]
    violation: Violation,
}

/// Grids on which every preset is checked, in addition to its home grid.
const GRIDS: [(u32, u32); 7] = [(8, 8), (1, 1), (1, 16), (5, 9), (7, 7), (24, 16), (33, 17)];

/// Runs the command.
pub(super) fn run(args: &VerifyArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let registry = &catalogue.registry;
    let mut findings = Vec::new();
    let mut sound = Vec::new();
    let mut unreadable = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        match read(path) {
            Err(error) => {
                output::error(reading::failed(path, &error));
                unreadable.push(RuleFinding {
                    file: name,
                    violation: Violation {
                        rule: Rule::Document,
                        place: "the file".to_owned(),
                        found: error.to_string(),
                        expected: "a readable file".to_owned(),
                    },
                });
            }
            Ok(Err(mut violation)) => {
                if let Some(what) = reading::instead(path).filter(|_| is_no_plan(&violation)) {
                    violation.found = what;
                }
                findings.push(RuleFinding { file: name, violation });
            }
            Ok(Ok(document)) => {
                if check(&name, &document, args.known_only, registry, &mut findings) {
                    let unknown = unknown(&document, registry);
                    let how = if unknown.is_empty() {
                        "valid".to_owned()
                    } else {
                        format!("valid, but only partly verified (unknown {unknown})")
                    };
                    sound.push(format!("{name}: {how}, {}", describe(&document)));
                }
            }
        }
    }
    if args.all_presets {
        check_presets(registry, &mut findings, &mut sound)?;
    }
    let whole = findings.is_empty() && unreadable.is_empty();
    if args.format != VerifyFormat::Text {
        // Programs that read the result may not see standard error.
        findings.append(&mut unreadable);
    }
    output::print(&match args.format {
        VerifyFormat::Json => to_json(&findings),
        VerifyFormat::Github => findings.iter().map(annotation).collect(),
        VerifyFormat::Text => {
            let broken = findings.iter().map(|RuleFinding { file, violation }| format!("{file}: {violation}"));
            sound.into_iter().chain(broken).map(|line| output::one_line(&line) + "\n").collect()
        }
    })?;
    Ok(if whole { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Reads an untrusted plan, up to the size limit.
fn read(path: &Path) -> io::Result<Result<PlanDocument, Violation>> {
    if path == Path::new("-") {
        return Ok(PlanDocument::read(io::stdin().lock()));
    }
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() > MAX_PLAN_BYTES {
        return Ok(Err(Violation {
            rule: Rule::Document,
            place: "the file".to_owned(),
            found: format!("{} bytes", metadata.len()),
            expected: format!("at most {} MB", MAX_PLAN_BYTES >> 20),
        }));
    }
    // A folder can be opened but not read. Reading a byte reports this as an error of the system, not of the plan.
    let mut first = [0];
    let length = file.read(&mut first)?;
    Ok(PlanDocument::read(first[..length].chain(file)))
}

/// Reads a plan and checks every rule.
pub(super) fn sound(path: &Path, registry: &Registry) -> Result<Plan, CliError> {
    checked(path, &read_document(path)?, registry)
}

/// Checks a plan before it is used. Prints a note about parts that could not be checked.
pub(super) fn checked(path: &Path, document: &PlanDocument, registry: &Registry) -> Result<Plan, CliError> {
    let name = path.display();
    let checked = Plan::from_document(document, registry).map_err(|error| CliError::failure(&name, &error))?;
    if let Some(unchecked) = checked.note() {
        output::note(format_args!("{name}: {unchecked}"));
    }
    Ok(checked.plan)
}

/// Reads a plan document. The rules are not checked.
pub(super) fn read_document(path: &Path) -> Result<PlanDocument, CliError> {
    let name = path.display();
    let read = read(path).map_err(|error| reading::failed(path, &error))?;
    read.map_err(|violation| match reading::instead(path).filter(|_| is_no_plan(&violation)) {
        Some(what) => CliError::Failure(format!("{name}: {what}")),
        None => CliError::Failure(format!("{name}: invalid plan: {violation}")),
    })
}

/// Returns true if the content is wrong, not the size.
fn is_no_plan(violation: &Violation) -> bool {
    violation.rule == Rule::Document && violation.place != "the file"
}

/// Checks a document and adds its violations to `findings`. Returns true if it is valid.
fn check(
    name: &str,
    document: &PlanDocument,
    known_only: bool,
    registry: &Registry,
    findings: &mut Vec<RuleFinding>,
) -> bool {
    tracing::debug!(file = name, "checking");
    let Verification { violations, notes, .. } = verify(document, registry);
    for note in notes {
        output::note(format_args!("{name}: {note}"));
    }
    let mut violations = violations;
    let unknown = unknown(document, registry);
    if known_only && !unknown.is_empty() {
        violations.push(Violation {
            rule: Rule::Document,
            place: "schedule".to_owned(),
            found: unknown,
            expected: "known implementations, as required by --known-only".to_owned(),
        });
    }
    let sound = violations.is_empty();
    findings.extend(violations.into_iter().map(|violation| RuleFinding { file: name.to_owned(), violation }));
    sound
}

/// Returns the implementations of a schedule that are not registered, as text.
fn unknown(document: &PlanDocument, registry: &Registry) -> String {
    let schedule = &document.schedule;
    let kinds = schedule.unknown(registry).into_iter();
    kinds.map(|axis| format!("{axis} `{}`", short(&schedule.axis(axis).kind))).collect::<Vec<_>>().join(", ")
}

/// Returns the beginning of a name, at most 40 characters.
fn short(name: &str) -> String {
    const MOST: usize = 40;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

fn describe(document: &PlanDocument) -> String {
    let (height, width) = (document.grid.height, document.grid.width);
    let [stages, steps] = [document.stages.len(), document.steps.len()];
    format!("{height}x{width}, {}, {}", count(stages, "stage"), count(steps, "AR step"))
}

/// Plans every preset on several grids, writes the plans as JSON, and checks the JSON.
fn check_presets(
    registry: &Registry,
    findings: &mut Vec<RuleFinding>,
    sound: &mut Vec<String>,
) -> Result<(), CliError> {
    for preset in preset::all() {
        let mut grids = vec![preset.home_grid];
        for (height, width) in GRIDS {
            grids.push(Grid::new(height, width).map_err(CliError::usage)?);
        }
        let mut on = Vec::new();
        for grid in grids {
            let name = format!("preset {} on {grid}", preset.name);
            let plan = preset.schedule.plan(grid, registry)?.plan;
            match PlanDocument::parse(&plan.to_document().to_json()) {
                Err(violation) => findings.push(RuleFinding { file: name, violation }),
                Ok(document) => {
                    if check(&name, &document, false, registry, findings) {
                        on.push(grid.to_string());
                    }
                }
            }
        }
        if !on.is_empty() {
            sound.push(format!("preset {}: valid on {}", preset.name, on.join(", ")));
        }
    }
    Ok(())
}

/// Formats a violation as an annotation of GitHub Actions.
fn annotation(RuleFinding { file, violation }: &RuleFinding) -> String {
    let Violation { rule, place, found, expected } = violation;
    let message = escape(&format!("{place}: found {found}, expected {expected}"));
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    format!("::error file={},title={}::{message}\n", property(file), property(&rule.to_string()))
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_escaped() {
        let text = |text: &str| text.to_owned();
        let violation =
            Violation { rule: Rule::Document, place: text("a:b"), found: text("5 %\n6"), expected: text("c, d") };
        let line = annotation(&RuleFinding { file: text("x,y:z"), violation });
        assert_eq!(line, "::error file=x%2Cy%3Az,title=R1 document::a:b: found 5 %25%0A6, expected c, d\n");
    }
}
