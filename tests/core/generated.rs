//! The generated files equal those that the registry gives.

use gtr_core::{Registry, reference, schema};

#[test]
fn generated_files_are_up_to_date() {
    let registry = Registry::builtin();
    for (file, found, expected) in [
        ("spec/schema/schedule.json", include_str!("../../spec/schema/schedule.json"), schema::schedule(&registry)),
        ("spec/schema/preset.json", include_str!("../../spec/schema/preset.json"), schema::preset(&registry)),
        ("spec/schema/plan.json", include_str!("../../spec/schema/plan.json"), schema::plan(&registry)),
        ("docs/schedulers.md", include_str!("../../docs/schedulers.md"), reference::page(&registry.describe())),
    ] {
        assert!(found == expected, "{file} is out of date: run `cargo run -p gtr-core --example generate`");
    }
}
