//! The subject of an evaluation.

use gtr_core::{Guidance, Plan};
use gtr_run::bulk::Checksum;
use serde_json::{Value, json};

/// Everything that determines images, except model, seed and index.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Name in tables.
    pub name: String,
    /// Sampling plan.
    pub plan: Plan,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Temperature: factor of the noise that denoising adds.
    pub temperature: f64,
}

impl Subject {
    /// Returns the store key, without the name.
    pub(super) fn key(&self) -> Value {
        json!({
            "plan_sha256": Checksum::of(self.plan.to_document().to_json().as_bytes()),
            "cfg": self.guidance.scale(),
            "cfg_schedule": self.guidance.schedule(),
            "temperature": self.temperature,
        })
    }
}
