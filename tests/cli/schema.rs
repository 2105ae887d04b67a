//! `schema`.

use serde_json::Value;

use crate::support::{files, gtr, run_in};

#[test]
fn the_schedule_schema_names_every_registered_implementation() {
    let schema: Value = serde_json::from_str(&gtr("schema schedule").succeeded()).unwrap();
    let all: Vec<Value> = serde_json::from_str(&gtr("schedulers --format json").succeeded()).unwrap();
    for it in &all {
        let choices = schema["properties"][it["axis"].as_str().unwrap()]["oneOf"].as_array().unwrap();
        let kind = |choice: &&Value| choice["properties"]["kind"]["const"] == it["kind"];
        let choice = choices.iter().find(kind).unwrap();
        assert_eq!(choice["required"][0], "kind");
        assert_eq!(choice["properties"].get("max_timestep").is_some(), it["axis"] == "diffusion", "{}", it["kind"]);
        for parameter in it["parameters"].as_array().unwrap() {
            assert!(choice["properties"].get(parameter["name"].as_str().unwrap()).is_some(), "{}", it["kind"]);
        }
    }
}

#[test]
fn a_plan_may_name_unknown_implementations() {
    let schema: Value = serde_json::from_str(&gtr("schema plan").succeeded()).unwrap();
    let others = schema["$defs"]["Schedule"]["properties"]["order"]["oneOf"].as_array().unwrap().last().unwrap();
    assert!(others["properties"]["kind"]["not"]["enum"].as_array().unwrap().contains(&"bisection".into()));
    assert_eq!(schema["properties"]["format_version"]["enum"], serde_json::json!([1, 2, 3]));
}

#[test]
fn all_references_resolve() {
    fn check(value: &Value, root: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(root.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| check(field, root)),
            Value::Array(items) => items.iter().for_each(|item| check(item, root)),
            _ => {}
        }
    }
    for name in ["plan", "schedule", "preset", "verification"] {
        let schema: Value = serde_json::from_str(&gtr(&format!("schema {name}")).succeeded()).unwrap();
        check(&schema, &schema);
    }
}

/// The committed files equal those that the current registry generates.
#[test]
fn committed_files_are_up_to_date() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    run_in(&root, &["schema", "--check", "spec/schema"]).succeeded();
    let page = std::fs::read_to_string(root.join("docs/schedulers.md")).unwrap();
    let remedy = "run `cargo run -p gtr-cli -- schedulers --format markdown --out docs/schedulers.md`";
    assert!(page == gtr("schedulers --format markdown").succeeded(), "docs/schedulers.md is out of date: {remedy}");
}

#[test]
fn outdated_files_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run_in(folder.path(), &["schema", "--out-dir", "."]).succeeded(), "");
    assert_eq!(files(folder.path()), ["plan.json", "preset.json", "schedule.json", "verification.json"]);
    assert_eq!(run_in(folder.path(), &["schema", "--check", "."]).succeeded(), "");
    std::fs::write(folder.path().join("preset.json"), "{}").unwrap();
    let line = run_in(folder.path(), &["schema", "--check", "."]).failed(1);
    assert_eq!(line, "error: ./preset.json is not the schema of this version: run `gtr-cli schema --out-dir .`\n");
}
