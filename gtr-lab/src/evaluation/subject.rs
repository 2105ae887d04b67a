//! What is judged.

use gtr_core::{Guidance, Plan};
use gtr_run::bulk::Checksum;
use serde_json::{Value, json};

/// All that decides what images are like, but model, seed and number.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What it is called in tables.
    pub name: String,
    /// Its plan.
    pub plan: Plan,
    /// How the class guides its images.
    pub guidance: Guidance,
    /// Factor of the noise that is added while denoising.
    pub temperature: f64,
}

impl Subject {
    /// It, without its name, as part of a key.
    pub(super) fn key(&self) -> Value {
        json!({
            "plan_sha256": Checksum::of(self.plan.to_document().to_json().as_bytes()),
            "cfg": self.guidance.scale(),
            "cfg_schedule": self.guidance.schedule(),
            "temperature": self.temperature,
        })
    }
}
