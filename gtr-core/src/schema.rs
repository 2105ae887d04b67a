//! JSON Schemas of schedules, presets and plans, with the parameters of every registered implementation.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::preset::Preset;
use crate::{AxisName, Plan, PlanDocument, Registry, Schedule, Timestep};

/// Returns the schema of a schedule, as formatted JSON.
///
/// # Examples
/// ```
/// let schema = gtr_core::schema::schedule(&gtr_core::Registry::builtin());
/// assert!(schema.contains("bisection"));
/// ```
pub fn schedule(registry: &Registry) -> String {
    document("Schedule", |generator| schedule_schema(generator, Others::Refused, registry))
}

/// Returns the schema of a preset, as formatted JSON.
pub fn preset(registry: &Registry) -> String {
    document("Preset", |generator| with_schedule::<Preset>(generator, Others::Refused, registry))
}

/// Returns the schema of a plan, as formatted JSON. A plan may name implementations that are not registered.
pub fn plan(registry: &Registry) -> String {
    document("Plan", |generator| plan_schema(generator, registry))
}

/// Returns the schema that `schema` creates as a document with a title and all definitions, as formatted JSON.
pub fn document(title: &str, schema: impl FnOnce(&mut SchemaGenerator) -> Schema) -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = schema(&mut generator);
    let mut root = Map::new();
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), title.into());
    root.append(schema.ensure_object());
    root.insert("title".to_owned(), title.into());
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), definitions.into());
    }
    // A map of JSON values can be written.
    serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
}

/// Treatment of implementations that are not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Allowed: a plan may come from another program.
    Allowed,
    /// Refused.
    Refused,
}

fn plan_schema(generator: &mut SchemaGenerator, registry: &Registry) -> Schema {
    let mut schema = with_schedule::<PlanDocument>(generator, Others::Allowed, registry);
    if let Some(version) = schema.pointer_mut("/properties/format_version") {
        let description = version.get("description").cloned();
        *version = json!({ "description": description, "enum": Plan::FORMAT_VERSIONS });
    }
    schema
}

/// Returns the schema of a type with a schedule.
fn with_schedule<T: JsonSchema>(generator: &mut SchemaGenerator, others: Others, registry: &Registry) -> Schema {
    let schema = T::json_schema(generator);
    let schedule = schedule_schema(generator, others, registry);
    generator.definitions_mut().insert(Schedule::schema_name().into_owned(), schedule.to_value());
    schema
}

/// Returns the schema of a schedule: one registered implementation per axis.
fn schedule_schema(generator: &mut SchemaGenerator, others: Others, registry: &Registry) -> Schema {
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
