//! `schema`: JSON Schemas of the files that this program reads and writes.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use gtr_core::preset::Preset;
use gtr_core::{AxisName, Plan, PlanDocument, Registry, Schedule, Timestep};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::args::{SchemaArgs, SchemaName};
use crate::catalogue::Catalogue;
use crate::commands::{to_json, verify::RuleFinding};
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
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = match name {
        SchemaName::Plan => plan(&mut generator, registry),
        SchemaName::Schedule => schedule(&mut generator, Others::Refused, registry),
        SchemaName::Preset => with_schedule::<Preset>(&mut generator, Others::Refused, registry),
        SchemaName::Verification => <Vec<RuleFinding>>::json_schema(&mut generator),
    };
    let title = match name {
        SchemaName::Plan => "Plan",
        SchemaName::Schedule => "Schedule",
        SchemaName::Preset => "Preset",
        SchemaName::Verification => "Verification",
    };
    let mut root = Map::new();
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), title.into());
    root.append(schema.ensure_object());
    root.insert("title".to_owned(), title.into());
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), definitions.into());
    }
    to_json(&root)
}

/// Treatment of implementations that are not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Allowed: a plan may come from another program.
    Allowed,
    /// Refused.
    Refused,
}

fn plan(generator: &mut SchemaGenerator, registry: &Registry) -> Schema {
    let mut schema = with_schedule::<PlanDocument>(generator, Others::Allowed, registry);
    if let Some(version) = schema.pointer_mut("/properties/format_version") {
        let description = version.get("description").cloned();
        *version = json!({ "description": description, "enum": [Plan::FORMAT_VERSION, Plan::FORMAT_VERSION_KNOWN] });
    }
    schema
}

/// Returns the schema of a type with a schedule.
fn with_schedule<T: JsonSchema>(generator: &mut SchemaGenerator, others: Others, registry: &Registry) -> Schema {
    let schema = T::json_schema(generator);
    let schedule = schedule(generator, others, registry);
    generator.definitions_mut().insert(Schedule::schema_name().into_owned(), schedule.to_value());
    schema
}

/// Returns the schema of a schedule: one registered implementation per axis.
fn schedule(generator: &mut SchemaGenerator, others: Others, registry: &Registry) -> Schema {
    let timestep = generator.subschema_for::<Timestep>();
    let mut schema = Schedule::json_schema(generator);
    let kinds = registry.schemas(generator);
    for axis in AxisName::ALL {
        let of_axis = kinds.iter().filter(|(it, ..)| *it == axis);
        let mut choices: Vec<Value> =
            of_axis.clone().map(|(_, kind, schema)| configuration(axis, kind, schema.clone(), &timestep)).collect();
        if others == Others::Allowed {
            let known: Vec<&str> = of_axis.map(|(_, kind, _)| *kind).collect();
            choices.push(json!({
                "description": "An implementation that is not built in.",
                "type": "object",
                "properties": { "kind": { "type": "string", "not": { "enum": known } } },
                "required": ["kind"]
            }));
        }
        if let Some(property) = schema.pointer_mut(&format!("/properties/{axis}")) {
            let description = property.get("description").cloned();
            *property = json!({ "description": description, "oneOf": choices });
        }
    }
    schema
}

/// Returns the schema of a configuration: name, parameters and, for a diffusion curve, the timestep limits.
fn configuration(axis: AxisName, kind: &str, mut schema: Schema, timestep: &Schema) -> Value {
    let object = schema.ensure_object();
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": kind }));
    if let Some(Value::Object(parameters)) = object.get_mut("properties") {
        properties.append(parameters);
    }
    if axis == AxisName::Diffusion {
        let limit = |description: &str| {
            let mut limit = json_schema!({ "description": description });
            limit
                .ensure_object()
                .extend(timestep.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
            limit.to_value()
        };
        let max = limit("Timesteps are spaced evenly from 0 to this one.");
        properties.insert("max_timestep".to_owned(), max);
        let clip = limit("Timesteps are spaced evenly from 0 to 999, then clipped to at most this one.");
        properties.insert("clip_timestep".to_owned(), clip);
        object.insert("not".to_owned(), json!({ "required": ["max_timestep", "clip_timestep"] }));
    }
    object.insert("properties".to_owned(), properties.into());
    match object.get_mut("required") {
        Some(Value::Array(required)) => required.insert(0, "kind".into()),
        _ => {
            object.insert("required".to_owned(), json!(["kind"]));
        }
    }
    object.insert("additionalProperties".to_owned(), false.into());
    schema.to_value()
}
