//! What is judged.

use gtr_core::{Guidance, Plan};
use serde_json::{Value, json};

use crate::bulk::Checksum;

/// All that decides what images are like, but model, seed and number.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// What it is called in tables.
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) guidance: Guidance,
    /// Factor of the noise that is added while denoising.
    pub(crate) temperature: f64,
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
