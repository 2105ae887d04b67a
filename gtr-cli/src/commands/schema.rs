//! `schema`: JSON Schemas of the files that this program reads and writes.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use gtr_core::{Registry, schema};
use schemars::JsonSchema;

use crate::args::{SchemaArgs, SchemaName};
use crate::catalogue::Catalogue;
use crate::commands::verify::RuleFinding;
use crate::error::{CliError, ExitStatus};
use crate::output::{self, Target, check_folder, make_folder};
use gtr_run::reading;

/// Runs the command.
pub(super) fn run(args: &SchemaArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    if let Some(folder) = &args.out_dir {
        check_folder(folder)?;
        make_folder(folder)?;
        for (file, text) in files(&catalogue.registry) {
            Target::new(&folder.join(file))?.write(text.as_bytes())?;
        }
    } else if let Some(folder) = &args.check {
        check(folder, &catalogue.registry)?;
    } else if let Some(name) = args.name {
        output::print(&text(name, &catalogue.registry))?;
    }
    Ok(ExitStatus::Success)
}

/// Returns each schema with the name of its file.
fn files(registry: &Registry) -> impl Iterator<Item = (String, String)> {
    SchemaName::value_variants().iter().map(move |&name| {
        let value = name.to_possible_value();
        (format!("{}.json", value.as_ref().map_or("", |it| it.get_name())), text(name, registry))
    })
}

fn check(folder: &Path, registry: &Registry) -> Result<(), CliError> {
    for (file, text) in files(registry) {
        let path = folder.join(file);
        let found = fs::read_to_string(&path).map_err(|error| reading::failed(&path, &error))?;
        if found != text {
            return Err(CliError::Failure(format!(
                "{} is not the schema of this version: run `gtr-cli schema --out-dir {}`",
                path.display(),
                folder.display()
            )));
        }
    }
    Ok(())
}

fn text(name: SchemaName, registry: &Registry) -> String {
    match name {
        SchemaName::Plan => schema::plan(registry),
        SchemaName::Schedule => schema::schedule(registry),
        SchemaName::Preset => schema::preset(registry),
        SchemaName::Verification => schema::document("Verification", <Vec<RuleFinding>>::json_schema),
    }
}
