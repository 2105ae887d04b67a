//! Writes the files that are generated from the registered implementations: the schemas and the reference page.
//!
//! ```sh
//! cargo run -p gtr-core --example generate
//! ```
use std::error::Error;
use std::fs;
use std::path::Path;

use gtr_core::{Registry, reference, schema};

fn main() -> Result<(), Box<dyn Error>> {
    let (root, registry) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), Registry::builtin());
    for (file, text) in [
        ("spec/schema/schedule.json", schema::schedule(&registry)),
        ("spec/schema/preset.json", schema::preset(&registry)),
        ("spec/schema/plan.json", schema::plan(&registry)),
        ("docs/schedulers.md", reference::page(&registry.describe())),
    ] {
        fs::write(root.join(file), text)?;
    }
    Ok(())
}
